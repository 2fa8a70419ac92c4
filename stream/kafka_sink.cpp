#include "stream/kafka_sink.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <bit>
#include <string_view>

namespace freshet {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
// A broker that is away is waited for; what follows a record that is refused is not sent; each that
// arrived is heard of, once all copies have it. One request at a time: a broker that has heard
// nothing of a producer yet takes its second request for its first if that one failed, and the
// first, sent again, for one that it has.
constexpr std::array kFixed = std::to_array<Setting>({{"enable.idempotence", "true"},
                                                      {"enable.gapless.guarantee", "true"},
                                                      {"max.in.flight", "1"},
                                                      {"acks", "all"},
                                                      {"retries", "2147483647"},
                                                      {"message.timeout.ms", "0"},
                                                      {"delivery.report.only.error", "false"}});

// How long after the end of a client its reason is waited for.
constexpr std::chrono::seconds kReasonWait{5};

}  // namespace

void Acknowledged::hear(std::uint64_t number) {
  const auto found = waiting_.find(number);
  if (found != waiting_.end()) found->second = true;
  while (!waiting_.empty() && waiting_.begin()->second) {
    end_ = waiting_.begin()->first;
    waiting_.erase(waiting_.begin());
  }
}

KafkaSink::KafkaSink(const KafkaOutput& output, const std::string& pipeline, Notice notice)
    : notice_(std::move(notice)), pipeline_(pipeline) {
  KafkaConf conf("sink.kafka", output.bootstrap);
  rd_kafka_topic_conf_t* topics = rd_kafka_topic_conf_new();
  rd_kafka_topic_conf_set_opaque(topics, this);
  rd_kafka_topic_conf_set_partitioner_cb(
      topics, [](const rd_kafka_topic_t* topic, const void*, std::size_t, std::int32_t partitions,
                 void* self, void*) {
        const std::string& key = static_cast<KafkaSink*>(self)->pipeline_;
        return rd_kafka_msg_partitioner_murmur2(topic, key.data(), key.size(), partitions, nullptr,
                                                nullptr);
      });
  rd_kafka_conf_set_default_topic_conf(conf.get(), topics);
  conf.set("client.id", "freshet");
  conf.set("linger.ms", "20");
  conf.set("reconnect.backoff.max.ms", "5000");
  conf.set(output.settings);
  for (const auto& [name, value] : kFixed) conf.set(name, value);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  secrets_ = conf.secrets();
  client_ = conf.make_producer();
}

KafkaSink::~KafkaSink() {
  rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  end_client(client_, 0);
}

bool KafkaSink::offer(const KafkaRecord& record) {
  if (!failure_.empty() || !fatal_.empty() || full()) return false;
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.c_str(), -1, value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  const auto error = rd_kafka_producev(
      client_, RD_KAFKA_V_TOPIC(record.topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
      RD_KAFKA_V_HEADERS(headers),
      RD_KAFKA_V_OPAQUE(std::bit_cast<void*>(static_cast<std::uintptr_t>(record.number))),
      RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++on_their_way_;
    delivered_[record.topic].offer(record.number);
    return true;
  }
  rd_kafka_headers_destroy(headers);
  if (error == RD_KAFKA_RESP_ERR__FATAL) return false;  // heard of next: why
  // Alone it would be too large for the queue at any time.
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && on_their_way_ > 0) {
    full_ = true;
  } else {
    failure_ =
        fmt::format("topic {}, record {}: {}", record.topic, record.key, rd_kafka_err2str(error));
  }
  return false;
}

void KafkaSink::serve(std::chrono::milliseconds wait) {
  rd_kafka_poll(client_, static_cast<int>(wait.count()));
  if (fatal_.empty() || !failure_.empty()) return;
  if (on_their_way_ == 0 || std::chrono::steady_clock::now() > fatal_at_ + kReasonWait) {
    failure_ = fatal_;
  }
}

std::uint64_t KafkaSink::delivered(const std::string& topic) const {
  const auto found = delivered_.find(topic);
  return found == delivered_.end() ? 0 : found->second.end();
}

void KafkaSink::on_delivery(rd_kafka_s* /*client*/, const rd_kafka_message_s* message, void* self) {
  static_cast<KafkaSink*>(self)->heard(*message);
}

void KafkaSink::heard(const rd_kafka_message_s& message) {
  --on_their_way_;
  full_ = false;
  const char* topic = rd_kafka_topic_name(message.rkt);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (!failure_.empty()) return;
    delivered_[topic].hear(std::bit_cast<std::uintptr_t>(message._private));
    if (!trouble_.empty() && notice_) notice_("Kafka sink: connected again");
    trouble_.clear();
  } else if (failure_.empty() && message.err != RD_KAFKA_RESP_ERR__PURGE_QUEUE) {
    // What was purged stood behind the record that ended the client, and may be heard of before it.
    failure_ = fmt::format("topic {}, record {}: {}", topic,
                           std::string_view(static_cast<const char*>(message.key), message.key_len),
                           message.err == RD_KAFKA_RESP_ERR__FATAL && !fatal_.empty()
                               ? fatal_
                               : rd_kafka_err2str(message.err));
  }
}

void KafkaSink::on_error(rd_kafka_s* client, int code, const char* reason, void* self) {
  auto& sink = *static_cast<KafkaSink*>(self);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    sink.fatal_ = kafka_end_reason(sink.secrets_, client);
    sink.fatal_at_ = std::chrono::steady_clock::now();
    return;
  }
  // The one that follows says only that no broker is left.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !sink.trouble_.empty()) return;
  const bool news = sink.trouble_.empty();
  sink.trouble_ = kafka_reason(sink.secrets_, reason);
  if (news && sink.notice_) {
    sink.notice_(fmt::format("Kafka sink: {}; trying again", sink.trouble_));
  }
}

}  // namespace freshet
