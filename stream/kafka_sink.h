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

/// An idempotent producer of librdkafka: what it is given arrives in that order, each at least
/// once, for as long as it lives; all of a pipeline in one partition of a topic. It reconnects for
/// ever, by itself. After a failure a new one must begin behind what was delivered. Used by one
/// thread.
class KafkaSink {
 public:
  using Notice = std::function<void(const std::string& text)>;
  static constexpr std::size_t kMostOnTheirWay = 10'000;

  /// Throws Error{invalid} for settings that are refused, or secrets that can't be found.
  KafkaSink(const KafkaOutput& output, const std::string& pipeline, Notice notice);
  ~KafkaSink();
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  /// False: enough are on their way, or it has failed.
  bool offer(const KafkaRecord& record);
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
  std::map<std::string, std::uint64_t> delivered_;
  std::string failure_;
  std::string trouble_;
};

}  // namespace freshet
