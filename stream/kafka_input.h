#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

/// A setting of librdkafka. What is secret is named, not stated: configs are recorded and shown.
struct KafkaSetting {
  enum class From { config, environment, file };

  std::string name;
  std::string value;  ///< itself, the variable's name or the file's path
  From from = From::config;

  bool operator==(const KafkaSetting&) const = default;
};

/// Where a partition is read from the first time; afterwards where the log says.
struct KafkaOffset {
  std::string name;  ///< the partition's number
  std::uint64_t offset = 0;

  bool operator==(const KafkaOffset&) const = default;
};

struct KafkaStart {
  enum class At { earliest, latest, time, offsets };

  At at = At::earliest;
  Millis time = 0;                         ///< `time`: the first record of this time or later
  std::vector<KafkaOffset> offsets;        ///< `offsets`: of the topic's partitions
  std::vector<KafkaOffset> label_offsets;  ///< `offsets`: of the label topic's

  bool operator==(const KafkaStart&) const = default;
};

/// Topics as a config names them: `stream.source` of kind "kafka".
struct KafkaInput {
  std::string bootstrap;                  ///< HOST:PORT, separated by commas
  std::string topic;                      ///< events
  std::string label_topic;                ///< label records {id, label, time}; empty: none
  std::vector<std::uint32_t> partitions;  ///< of `topic`; empty: all. Of `label_topic`: all
  /// A consumer group to share the topics' partitions in; empty: they are assigned by hand.
  std::string group;
  KafkaStart start;
  Millis idle_after = kMinute;  ///< a partition silent for so long holds event time back no more
  std::vector<KafkaSetting> settings;

  bool operator==(const KafkaInput&) const = default;
};

/// Topics that decisions and predictions are published to: a config's `sink`.
struct KafkaOutput {
  std::string bootstrap;
  std::string decisions;    ///< topic; empty: they are not published
  std::string predictions;  ///< topic; empty: they are not published
  std::vector<KafkaSetting> settings;

  bool operator==(const KafkaOutput&) const = default;
};

/// Whether a setting's value is a secret, to be given by environment or file only.
bool is_secret_setting(const std::string& name);
/// Whether a setting is Freshet's own: another value would break exactly-once.
bool is_fixed_setting(const std::string& name);

}  // namespace freshet
