#include "stream/kafka_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "stream/error.h"
#include "stream/kafka_partition.h"

namespace freshet {
namespace {

using Partitions = std::vector<std::unique_ptr<PartitionReader>>;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWait{20};
constexpr milliseconds kFirstAttempt{200};
constexpr milliseconds kLongestAttempt{1000};
constexpr std::chrono::seconds kCommitEvery{5};
constexpr std::chrono::seconds kCountEvery{30};

class KafkaSource : public Source {
 public:
  KafkaSource(const KafkaInput& input, const Schema& schema, std::vector<SourceProgress> stored,
              KafkaReading reading)
      : input_(input), schema_(schema), reading_(std::move(reading)), begun_(Clock::now()) {
    if (std::holds_alternative<TimeEvery>(schema.time.form)) {
      throw Error(ErrorKind::invalid,
                  "partitions are merged by event time: expected event.time to name a field "
                  "(\"$timestamp\" with unit \"ms\" is the record's own), found {\"every\": …}");
    }
    for (SourceProgress& progress : stored) stored_[progress.name] = std::move(progress);
    open_client();
  }

  PollStatus poll(std::size_t max_records, RecordSink& sink) override {
    if (failure_) std::rethrow_exception(failure_);
    std::size_t given = 0;
    try {
      return try_poll(max_records, sink, given);
    } catch (const Error&) {
      failure_ = std::current_exception();
      if (given == 0) throw;
      return PollStatus::ready;
    }
  }

  std::vector<SourceProgress> progress() const override {
    std::vector<SourceProgress> all;
    for (const auto& partition : partitions_) {
      if (partition->known()) all.push_back(partition->progress());
    }
    return all;
  }

  SourceState state() const override {
    SourceState state;
    state.trouble = client_->trouble();
    if (state.trouble.empty() && partitions_.empty()) state.trouble = "not connected yet";
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      const PartitionReader& partition = *partitions_[i];
      const std::int64_t end = client_->known_end(i);
      if (!partition.known() || end < 0) continue;
      const std::uint64_t next = partition.progress().offset;
      state.parts.push_back(
          {partition.progress().name, next, std::max(next, static_cast<std::uint64_t>(end))});
    }
    return state;
  }

 private:
  PollStatus try_poll(std::size_t max_records, RecordSink& sink, std::size_t& given) {
    client_->serve();
    if (partitions_.empty() && !connect()) return PollStatus::idle;
    commit();
    if (!reading_.until_end && partitions_grew()) return PollStatus::ready;
    look_again();
    bool waited = false;
    while (given < max_records) {
      if (PartitionReader* next = choose()) {
        if (!next->is_bad() && !jumps(*next)) newest_ = std::max(newest_, next->time());
        next->hand_over(sink);
        ++given;
        continue;
      }
      if (given > 0) return PollStatus::ready;
      const bool ended = std::all_of(partitions_.begin(), partitions_.end(),
                                     [](const auto& p) { return p->finished(); });
      if (ended) return PollStatus::ended;
      if (waited) return PollStatus::idle;
      client_->wait(kWait);
      look_again();
      waited = true;
    }
    return PollStatus::ready;
  }

  void look_again() {
    for (const auto& partition : partitions_) partition->look_again();
  }

  bool jumps(const PartitionReader& partition) const {
    return newest_ != kNone && partition.time() > newest_ + schema_.max_time_jump;
  }

  // Null: none is known to be the next. A time that can't be goes at once, or its partition would
  // wait for the others to come as far.
  PartitionReader* choose() {
    PartitionReader* first = nullptr;
    bool unknown = false;
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      PartitionReader& partition = *partitions_[i];
      if (!partition.full()) partition.fill(*client_, i, reading_.until_end);
      if (!partition.full()) {
        unknown = unknown || partition.holds(Clock::now(), input_.idle_after);
      } else if (partition.is_bad() || jumps(partition)) {
        return &partition;
      } else if (first == nullptr || partition.time() < first->time()) {
        first = &partition;
      }
    }
    return unknown ? nullptr : first;
  }

  void open_client() {
    client_ = std::make_unique<KafkaClient>(input_, reading_.group, reading_.notice);
    attempt_ = kFirstAttempt;
  }

  bool connect() {
    if (Clock::now() < next_attempt_) {
      client_->wait(kWait);
      return false;
    }
    Partitions found;
    if (find_partitions(input_.topic, false, found) &&
        (input_.label_topic.empty() || find_partitions(input_.label_topic, true, found))) {
      partitions_ = std::move(found);
      std::vector<KafkaPartition> all;
      for (const auto& partition : partitions_) all.push_back(partition->at());
      client_->assign(all);
      counted_ = Clock::now();
      committed_ = counted_;
      was_connected_ = true;
      return true;
    }
    attempt_ = std::min(2 * attempt_, kLongestAttempt);
    next_attempt_ = Clock::now() + attempt_;
    const milliseconds limit = reading_.give_up_after;
    if (!was_connected_ && limit.count() > 0 && Clock::now() - begun_ > limit) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("Kafka: none of {} has answered for {} s: {}", input_.bootstrap,
                              limit.count() / 1000,
                              client_->trouble().empty() ? "no answer" : client_->trouble()));
    }
    return false;
  }

  bool find_partitions(const std::string& topic, bool labels, Partitions& to) {
    const auto count = client_->partition_count(topic, attempt_);
    if (!count) return false;
    counts_[topic] = *count;
    const std::string cluster = client_->cluster(attempt_);
    std::vector<KafkaPartition> all;
    for (const std::uint32_t number : numbers(topic, labels, *count)) {
      all.push_back({topic, number, first_offset(topic, labels, number)});
    }
    const bool by_time = input_.start.at == KafkaStart::At::time;
    std::vector<KafkaPartition> by_times = all;
    if (by_time && !client_->find_offsets(input_.start.time, by_times, attempt_)) return false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      SourceProgress progress;
      progress.name = kafka_progress_name(topic, all[i].partition);
      progress.identity = cluster;
      const auto stored = stored_.find(progress.name);
      if (stored != stored_.end()) {
        check_cluster(stored->second, cluster);
        progress = stored->second;
        all[i].offset = static_cast<std::int64_t>(progress.offset);
      } else if (by_time && !topic_is_known(topic)) {
        all[i].offset = by_times[i].offset;
      }
      if (all[i].offset >= 0) progress.offset = static_cast<std::uint64_t>(all[i].offset);
      const bool known = all[i].offset >= 0;
      to.push_back(std::make_unique<PartitionReader>(all[i], labels, schema_, progress, known));
    }
    return true;
  }

  std::vector<std::uint32_t> numbers(const std::string& topic, bool labels,
                                     std::uint32_t count) const {
    std::vector<std::uint32_t> all;
    if (!labels && !input_.partitions.empty()) {
      all = input_.partitions;
      const std::uint32_t highest = *std::max_element(all.begin(), all.end());
      if (highest >= count) {
        throw Error(ErrorKind::invalid,
                    fmt::format("Kafka topic {}: it has partitions 0 to {}, stream.source names {}",
                                topic, count - 1, highest));
      }
      return all;
    }
    for (std::uint32_t i = 0; i < count; ++i) all.push_back(i);
    // Partitions are never taken away: the topic was made anew.
    const auto known = stored_of(topic);
    if (!known.empty() && known.back() >= count) {
      throw Error(ErrorKind::conflict,
                  fmt::format("Kafka topic {}: it has {} partitions, partition {} was read before: "
                              "was it made anew?",
                              topic, count, known.back()));
    }
    return all;
  }

  /// The partitions of a topic that were read before, in order.
  std::vector<std::uint32_t> stored_of(const std::string& topic) const {
    std::string start = kafka_progress_name(topic, 0);
    start.pop_back();
    std::vector<std::uint32_t> numbers;
    for (const auto& [name, progress] : stored_) {
      if (!name.starts_with(start)) continue;
      numbers.push_back(static_cast<std::uint32_t>(std::stoul(name.substr(start.size()))));
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  bool topic_is_known(const std::string& topic) const { return !stored_of(topic).empty(); }

  // A partition that came to a topic already read is read from its beginning.
  std::int64_t first_offset(const std::string& topic, bool labels, std::uint32_t number) const {
    const KafkaStart& start = input_.start;
    if (topic_is_known(topic)) return KafkaPartition::kEarliest;
    if (start.at == KafkaStart::At::latest) return KafkaPartition::kLatest;
    for (const KafkaOffset& offset : labels ? start.label_offsets : start.offsets) {
      if (offset.name == std::to_string(number)) return static_cast<std::int64_t>(offset.offset);
    }
    return KafkaPartition::kEarliest;
  }

  void check_cluster(const SourceProgress& stored, const std::string& cluster) const {
    if (stored.identity.empty() || cluster.empty() || stored.identity == cluster) return;
    throw Error(ErrorKind::conflict,
                fmt::format("{}: {} is cluster {}, it was read from cluster {} before: its offsets "
                            "mean nothing there; use another workspace",
                            stored.name, input_.bootstrap, cluster, stored.identity));
  }

  // What was handed over has been stored by now.
  void commit() {
    if (Clock::now() < committed_ + kCommitEvery) return;
    committed_ = Clock::now();
    std::vector<KafkaPartition> offsets;
    for (const auto& partition : partitions_) {
      const auto next = static_cast<std::int64_t>(partition->progress().offset);
      if (partition->known()) {
        offsets.push_back({partition->at().topic, partition->at().partition, next});
      }
    }
    if (!offsets.empty()) client_->commit(offsets);
  }

  bool partitions_grew() {
    if (Clock::now() < counted_ + kCountEvery) return false;
    counted_ = Clock::now();
    bool grew = false;
    for (const auto& [topic, count] : counts_) {
      if (topic == input_.topic && !input_.partitions.empty()) continue;
      const auto now = client_->partition_count(topic, kFirstAttempt);
      grew = grew || (now && *now > count);
    }
    if (!grew) return false;
    // Anew from where it is: nothing of what was not handed over counts.
    for (const SourceProgress& at : progress()) stored_[at.name] = at;
    partitions_.clear();
    open_client();
    return true;
  }

  static constexpr Millis kNone = std::numeric_limits<Millis>::min();

  const KafkaInput input_;
  const Schema schema_;
  const KafkaReading reading_;
  std::map<std::string, SourceProgress> stored_;  ///< by name; where partitions go on
  std::unique_ptr<KafkaClient> client_;
  Partitions partitions_;  ///< the topic's, then the label topic's
  std::map<std::string, std::uint32_t> counts_;
  Millis newest_ = kNone;  ///< event time handed over
  const Clock::time_point begun_;
  Clock::time_point next_attempt_;
  Clock::time_point committed_;
  Clock::time_point counted_;
  milliseconds attempt_{0};
  bool was_connected_ = false;
  std::exception_ptr failure_;
};

}  // namespace

std::unique_ptr<Source> kafka_source(const KafkaInput& input, const Schema& schema,
                                     std::vector<SourceProgress> stored, KafkaReading reading) {
  return std::make_unique<KafkaSource>(input, schema, std::move(stored), std::move(reading));
}

std::string kafka_group(const std::string& pipeline) { return "freshet-" + pipeline; }

std::string kafka_progress_name(const std::string& topic, std::uint32_t partition) {
  return fmt::format("kafka:{}/{}", topic, partition);
}

}  // namespace freshet
