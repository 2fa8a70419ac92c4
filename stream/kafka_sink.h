#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stream/kafka_input.h"
#include "stream/kafka_settings.h"

struct rd_kafka_message_s;
struct rd_kafka_s;

namespace freshet {

/// One record to be published.
struct KafkaRecord {
  std::string topic;
  std::string key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;
  std::uint64_t number = 0;  ///< ascends within a topic
};

/// Numbers of one topic, ascending, that are acknowledged in any order.
class Acknowledged {
 public:
  void offer(std::uint64_t number) { waiting_.emplace_hint(waiting_.end(), number, false); }
  void hear(std::uint64_t number);
  /// Up to which all that were offered have been acknowledged; 0: none.
  std::uint64_t end() const { return end_; }

 private:
  std::map<std::uint64_t, bool> waiting_;  ///< whether it has been, though one before it has not
  std::uint64_t end_ = 0;
};

/// An idempotent producer of librdkafka: what it is given arrives in that order, each at least
/// once, for as long as it lives; all of a pipeline in one partition of a topic. It reconnects for
/// ever, by itself. After a failure nothing more is delivered, and a new one must begin behind what
/// was. Used by one thread.
class KafkaSink {
 public:
  using Notice = std::function<void(const std::string& text)>;
  static constexpr std::size_t kMostOnTheirWay = 10'000;

  /// Throws Error{invalid} for settings that are refused, or secrets that can't be found.
  KafkaSink(const KafkaOutput& output, const std::string& pipeline, Notice notice);
  ~KafkaSink();
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  /// False: it is full, or it has failed.
  bool offer(const KafkaRecord& record);
  /// Enough are on their way: until one of them is heard of, it takes no more.
  bool full() const { return full_ || on_their_way_ >= kMostOnTheirWay; }
  /// Hears what has been acknowledged; waits for something to hear.
  void serve(std::chrono::milliseconds wait);

  std::size_t on_their_way() const { return on_their_way_; }
  /// The number up to which all of a topic was acknowledged since it was made; 0: none.
  std::uint64_t delivered(const std::string& topic) const;
  /// A record that can't be delivered, and why; empty: none. Nothing after it counts.
  const std::string& failure() const { return failure_; }
  /// The last trouble with the brokers, if nothing was acknowledged since; empty: none.
  const std::string& trouble() const { return trouble_; }

 private:
  static void on_delivery(rd_kafka_s* client, const rd_kafka_message_s* message, void* self);
  static void on_error(rd_kafka_s* client, int code, const char* reason, void* self);
  void heard(const rd_kafka_message_s& message);

  Notice notice_;
  KafkaSecrets secrets_;
  const std::string pipeline_;  ///< tells the partition
  rd_kafka_s* client_ = nullptr;
  std::size_t on_their_way_ = 0;
  bool full_ = false;  ///< librdkafka's queue, which may be shorter
  std::map<std::string, Acknowledged> delivered_;
  std::string fatal_;  ///< what has ended the client; which record it was may be heard next
  std::chrono::steady_clock::time_point fatal_at_;
  std::string failure_;
  std::string trouble_;
};

}  // namespace freshet
