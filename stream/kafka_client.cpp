#include "stream/kafka_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <utility>

#include "stream/error.h"
#include "stream/kafka_settings.h"

namespace freshet {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
// A position is the log's, never the broker's; what is missing is a person's decision. Partitions
// of the same number go to the same member of a group, and none is taken away while it is read.
constexpr std::array kFixed = std::to_array<Setting>({{"enable.auto.commit", "false"},
                                                      {"enable.auto.offset.store", "false"},
                                                      {"auto.offset.reset", "error"},
                                                      {"isolation.level", "read_committed"},
                                                      {"check.crcs", "true"},
                                                      {"enable.partition.eof", "true"},
                                                      {"allow.auto.create.topics", "false"},
                                                      {"partition.assignment.strategy", "range"}});
constexpr std::array kDefaults =
    std::to_array<Setting>({{"client.id", "freshet"},
                            {"fetch.wait.max.ms", "100"},
                            {"reconnect.backoff.max.ms", "5000"},
                            {"topic.metadata.refresh.interval.ms", "30000"},
                            {"queued.max.messages.kbytes", "16384"}});
constexpr std::chrono::milliseconds kLeave{3000};
constexpr std::chrono::milliseconds kCommitWait{3000};
constexpr std::chrono::milliseconds kGoodbye{100};  // until the broker has been told

struct FreeMetadata {
  void operator()(const rd_kafka_metadata_t* found) const { rd_kafka_metadata_destroy(found); }
};
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, FreeMetadata>;

/// A topic's; null: no broker says so now.
Metadata metadata_of(rd_kafka_t* client, const std::string& topic, std::chrono::milliseconds wait) {
  const auto free_topic = [](rd_kafka_topic_t* t) { rd_kafka_topic_destroy(t); };
  const std::unique_ptr<rd_kafka_topic_t, decltype(free_topic)> handle(
      rd_kafka_topic_new(client, topic.c_str(), nullptr), free_topic);
  const rd_kafka_metadata_t* found = nullptr;
  const auto error =
      rd_kafka_metadata(client, 0, handle.get(), &found, static_cast<int>(wait.count()));
  return Metadata(error == RD_KAFKA_RESP_ERR_NO_ERROR ? found : nullptr);
}

/// A topic or partition list of librdkafka's, freed.
struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;

List list_of(const std::vector<KafkaPartition>& partitions) {
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const KafkaPartition& partition : partitions) {
    auto* item = rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(),
                                                   static_cast<std::int32_t>(partition.partition));
    item->offset = partition.offset;
  }
  return list;
}

bool refuses(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
         code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

}  // namespace

KafkaClient::KafkaClient(const KafkaInput& input, const std::string& group, Notice notice)
    : notice_(std::move(notice)) {
  KafkaConf conf("stream.source.kafka", input.bootstrap);
  for (const Setting& setting : kDefaults) conf.set(setting.name, setting.value);
  // There is no session, but a client that goes waits so long for a commit that nothing depends
  // on.
  if (input.group.empty()) conf.set("session.timeout.ms", "1000");
  conf.set("group.id", group);
  conf.set(input.settings);
  if (!input.group.empty()) conf.set("group.id", input.group);
  for (const Setting& setting : kFixed) conf.set(setting.name, setting.value);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  if (!input.group.empty()) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                       void* self) { static_cast<KafkaClient*>(self)->rebalance(code, *list); });
  }
  secrets_ = conf.secrets();
  client_ = conf.make_consumer();
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  rd_kafka_poll_set_consumer(client_);
}

KafkaClient::~KafkaClient() {
  // A close may block in librdkafka 2.0: a group is left by hand.
  if (subscribed_) {
    if (given_) rd_kafka_assign(client_, nullptr);
    rd_kafka_unsubscribe(client_);
    const auto limit = std::chrono::steady_clock::now() + kLeave;
    while (!left_ && std::chrono::steady_clock::now() < limit) {
      wait(std::chrono::milliseconds(10));
      serve();
    }
    std::this_thread::sleep_for(kGoodbye);
  }
  drop_queues();
  if (end_client(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)) ::close(wake_);
}

void KafkaClient::drop_queues() {
  for (rd_kafka_queue_t* queue : queues_) rd_kafka_queue_destroy(queue);
  queues_.clear();
  assigned_.clear();
}

std::optional<std::uint32_t> KafkaClient::partition_count(const std::string& topic, Wait wait) {
  const Metadata found = metadata_of(client_, topic, wait);
  serve();
  if (refusal_) throw Error(ErrorKind::invalid, "Kafka: " + *refusal_);
  if (!found) return std::nullopt;
  reached();
  if (found->topic_cnt != 1) return std::nullopt;
  const rd_kafka_metadata_topic_t& state = found->topics[0];
  switch (state.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      throw Error(ErrorKind::not_found,
                  fmt::format("Kafka topic {}: there is none of this name at {}", topic,
                              found->orig_broker_name));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      throw Error(ErrorKind::invalid,
                  fmt::format("Kafka topic {}: {}: {}", topic, found->orig_broker_name,
                              rd_kafka_err2str(state.err)));
    default:
      return std::nullopt;
  }
  if (state.partition_cnt == 0) return std::nullopt;
  return static_cast<std::uint32_t>(state.partition_cnt);
}

std::string KafkaClient::cluster(Wait wait) {
  char* id = rd_kafka_clusterid(client_, static_cast<int>(wait.count()));
  if (id == nullptr) return {};
  std::string copy = id;
  rd_kafka_mem_free(client_, id);
  return copy;
}

bool KafkaClient::find_offsets(Millis time, std::vector<KafkaPartition>& partitions, Wait wait) {
  const List list = list_of(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = time;
  if (rd_kafka_offsets_for_times(client_, list.get(), static_cast<int>(wait.count())) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    partitions[static_cast<std::size_t>(i)].offset =
        list->elems[i].offset < 0 ? KafkaPartition::kLatest : list->elems[i].offset;
  }
  return true;
}

void KafkaClient::subscribe(const std::vector<std::string>& topics, Revoked revoked) {
  revoked_ = std::move(revoked);
  std::vector<KafkaPartition> any;
  for (const std::string& topic : topics) any.push_back({topic, 0, 0});
  const List list = list_of(any);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].partition = RD_KAFKA_PARTITION_UA;
  const auto error = rd_kafka_subscribe(client_, list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Error(ErrorKind::conflict,
                fmt::format("Kafka: the group can't be joined: {}", rd_kafka_err2str(error)));
  }
  subscribed_ = true;
}

// Called from `serve`. What is given is assigned by the source, which knows the offsets.
void KafkaClient::rebalance(int code, const rd_kafka_topic_partition_list_s& partitions) {
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    reached();
    left_ = false;
    given_.emplace();
    for (int i = 0; i < partitions.cnt; ++i) {
      const auto& item = partitions.elems[i];
      given_->push_back({item.topic, static_cast<std::uint32_t>(item.partition)});
    }
    return;
  }
  given_.reset();
  revoked_();
  drop_queues();
  rd_kafka_assign(client_, nullptr);
  left_ = true;
}

std::optional<std::vector<KafkaPartition>> KafkaClient::take_given() {
  return std::exchange(given_, std::nullopt);
}

bool KafkaClient::find_committed(std::vector<KafkaPartition>& partitions, Wait wait) {
  const List list = list_of(partitions);
  if (rd_kafka_committed(client_, list.get(), static_cast<int>(wait.count())) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    partitions[static_cast<std::size_t>(i)].offset = list->elems[i].offset;
  }
  return true;
}

void KafkaClient::assign(const std::vector<KafkaPartition>& partitions) {
  drop_queues();
  assigned_ = partitions;
  for (const KafkaPartition& partition : partitions) {
    rd_kafka_queue_t* queue = rd_kafka_queue_get_partition(
        client_, partition.topic.c_str(), static_cast<std::int32_t>(partition.partition));
    if (queue == nullptr) throw Error(ErrorKind::conflict, "Kafka: no queue of a partition");
    queues_.push_back(queue);
    // Its own queue: librdkafka's default is one for all.
    rd_kafka_queue_forward(queue, nullptr);
    const std::uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, wake_, &one, sizeof one);
  }
  const auto error = rd_kafka_assign(client_, list_of(partitions).get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Error(ErrorKind::conflict, fmt::format("Kafka: the partitions can't be assigned: {}",
                                                 rd_kafka_err2str(error)));
  }
}

std::size_t KafkaClient::read(std::size_t index, std::vector<KafkaMessage>& to) {
  std::array<rd_kafka_message_t*, 100> messages{};
  const auto count =
      rd_kafka_consume_batch_queue(queues_[index], 0, messages.data(), messages.size());
  for (ssize_t i = 0; i < count; ++i) to.emplace_back(messages[static_cast<std::size_t>(i)]);
  if (std::any_of(to.begin(), to.end(), [](const KafkaMessage& message) {
        return message.kind() == KafkaMessage::Kind::record ||
               message.kind() == KafkaMessage::Kind::end;
      })) {
    reached();
  }
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

std::vector<int> KafkaClient::leaders(const std::string& topic, Wait wait) {
  std::vector<int> all;
  const Metadata found = metadata_of(client_, topic, wait);
  if (!found || found->topic_cnt != 1) return all;
  const rd_kafka_metadata_topic_t& state = found->topics[0];
  for (int i = 0; i < state.partition_cnt; ++i) {
    const auto number = static_cast<std::size_t>(state.partitions[i].id);
    all.resize(std::max(all.size(), number + 1), -1);
    all[number] = state.partitions[i].leader;
  }
  return all;
}

// By leader: a question to several brokers has no answer as long as one of them is away.
std::vector<std::int64_t> KafkaClient::ask_ends(const std::vector<std::size_t>& indexes,
                                                Wait wait) {
  std::map<std::string, std::vector<int>> leaders_of;
  std::map<int, std::vector<std::size_t>> by_leader;
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    const KafkaPartition& at = assigned_[indexes[i]];
    if (!leaders_of.contains(at.topic)) leaders_of[at.topic] = leaders(at.topic, wait);
    const std::vector<int>& all = leaders_of[at.topic];
    by_leader[at.partition < all.size() ? all[at.partition] : -1].push_back(i);
  }
  std::vector<std::int64_t> ends(indexes.size(), -1);
  for (const auto& [leader, places] : by_leader) {
    std::vector<KafkaPartition> led;
    for (const std::size_t i : places) led.push_back(assigned_[indexes[i]]);
    if (leader < 0 || !find_offsets(KafkaPartition::kLatest, led, wait)) continue;
    for (std::size_t i = 0; i < places.size(); ++i) ends[places[i]] = led[i].offset;
  }
  some_away_ = std::find(ends.begin(), ends.end(), -1) != ends.end();
  if (!some_away_) reached();
  return ends;
}

void KafkaClient::say(const std::string& text) const {
  if (notice_) notice_("Kafka " + text);
}

void KafkaClient::wait(Wait wait) {
  pollfd waiting = {wake_, POLLIN, 0};
  ::poll(&waiting, 1, static_cast<int>(wait.count()));
  std::uint64_t drained = 0;
  [[maybe_unused]] const auto count = ::read(wake_, &drained, sizeof drained);
}

// The common queue has no records: each partition has its own.
void KafkaClient::serve() {
  while (rd_kafka_message_t* message = rd_kafka_consumer_poll(client_, 0)) {
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
      ended_by_ = kafka_end_reason(secrets_, client_);
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      tell(rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
}

std::int64_t KafkaClient::known_end(std::size_t index) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  const KafkaPartition& at = assigned_[index];
  rd_kafka_get_watermark_offsets(client_, at.topic.c_str(), static_cast<std::int32_t>(at.partition),
                                 &low, &high);
  return high;
}

// librdkafka 2.0 has a question of its own for this, which heeds no timeout.
std::optional<std::pair<std::int64_t, std::int64_t>> KafkaClient::query_range(
    const KafkaPartition& of, Wait wait) {
  std::vector<KafkaPartition> first = {of};
  std::vector<KafkaPartition> next = {of};
  if (!find_offsets(KafkaPartition::kEarliest, first, wait) ||
      !find_offsets(KafkaPartition::kLatest, next, wait)) {
    return std::nullopt;
  }
  return std::pair(first[0].offset, next[0].offset);
}

void KafkaClient::commit(const std::vector<KafkaPartition>& partitions, bool wait) {
  const List list = list_of(partitions);
  if (!wait) {
    rd_kafka_commit(client_, list.get(), 1);
    return;
  }
  // rd_kafka_commit waits for ever for a broker that hangs.
  rd_kafka_queue_t* answers = rd_kafka_queue_new(client_);
  rd_kafka_commit_queue(client_, list.get(), answers, nullptr, nullptr);
  rd_kafka_event_t* answer = rd_kafka_queue_poll(answers, static_cast<int>(kCommitWait.count()));
  const rd_kafka_resp_err_t error =
      answer == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(answer);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    say(
        fmt::format("group: the brokers did not take how far it was read ({}): another member may "
                    "read some of it again",
                    rd_kafka_err2str(error)));
  }
  if (answer != nullptr) rd_kafka_event_destroy(answer);
  rd_kafka_queue_destroy(answers);
}

void KafkaClient::on_error(rd_kafka_s* from, int code, const char* reason, void* self) {
  auto& client = *static_cast<KafkaClient*>(self);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    client.ended_by_ = kafka_end_reason(client.secrets_, from);
    return;
  }
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (refuses(error) && !client.was_reached_)
    client.refusal_ = kafka_reason(client.secrets_, reason);
  // The one that follows says only that no broker is left.
  if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || client.trouble_.empty()) client.tell(reason);
}

void KafkaClient::reached() {
  was_reached_ = true;
  if (trouble_.empty() || some_away_) return;
  trouble_.clear();
  if (notice_) notice_("Kafka: connected again");
}

void KafkaClient::tell(const std::string& reason) {
  const bool news = trouble_.empty();
  ++errors_;
  trouble_ = kafka_reason(secrets_, reason);
  if (news && notice_) notice_(fmt::format("Kafka: {}; trying again", trouble_));
}

}  // namespace freshet
