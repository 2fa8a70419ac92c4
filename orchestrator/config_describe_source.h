#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/config.h"
#include "orchestrator/config_shapes.h"

/// `stream.source`, described as config_describe.h describes all keys.
namespace freshet {

enum class SourceKind { file, demo, kafka };
inline constexpr std::array kSources = std::to_array<Named<SourceKind>>(
    {{SourceKind::file, "file"}, {SourceKind::demo, "demo"}, {SourceKind::kafka, "kafka"}});
inline constexpr std::array kStarts = std::to_array<Named<KafkaStart::At>>(
    {{KafkaStart::At::earliest, "earliest"}, {KafkaStart::At::latest, "latest"}});

/// The keys of a Kafka source, all absent elsewhere.
struct KafkaKeys {
  std::optional<std::string> bootstrap, topic, label_topic, group;
  std::optional<std::vector<std::uint32_t>> partitions;
  std::optional<KafkaStart> start;
  std::optional<Millis> idle_after;
  std::optional<std::vector<KafkaSetting>> settings;

  static KafkaKeys of(const PipelineConfig& config);
  void store(PipelineConfig& config) const;
  /// The first key that stands; empty: none.
  std::string_view first() const;
};

inline constexpr std::array kSinks =
    std::to_array<Named<SourceKind>>({{SourceKind::kafka, "kafka"}});

/// The keys of a sink that may be absent.
struct SinkKeys {
  std::optional<std::string> decisions, predictions;

  static SinkKeys of(const KafkaOutput& output);
  void store(KafkaOutput& output) const;
};

/// The keys of `start` before they are known to be one of its forms.
struct KafkaStartKeys {
  std::optional<Millis> time;
  std::optional<std::vector<KafkaOffset>> offsets, label_offsets;

  static KafkaStartKeys of(const KafkaStart& start);
  void store(KafkaStart& start) const;
};

template <class V>
void describe_kafka_start(V& v, KafkaStart& start) {
  KafkaStartKeys keys = KafkaStartKeys::of(start);
  const auto by_partition = [](std::vector<KafkaOffset>& all) {
    return ByName{all, [](KafkaOffset& item) { return Count<std::uint64_t>{item.offset}; }};
  };
  v.exactly_one({{"time"}, {"offsets", "?label_offsets"}});
  v.key("time", Maybe{keys.time, [](Millis& value) { return TimePoint{value}; }},
        "From the first record of this time (Kafka's, not the event's) or later");
  v.key("offsets", Maybe{keys.offsets, by_partition},
        "By partition, as {\"0\": 1200}; those not named from their beginning");
  v.key("label_offsets", Maybe{keys.label_offsets, by_partition}, "The same of the label topic");
  keys.store(start);
}

template <class V>
void describe_kafka_setting(V& v, KafkaSetting& setting) {
  std::optional<std::string> variable;
  std::optional<std::string> file;
  if (setting.from == KafkaSetting::From::environment) variable = setting.value;
  if (setting.from == KafkaSetting::From::file) file = setting.value;
  const auto text = [](std::string& value) { return Text{value}; };
  v.exactly_one({{"env"}, {"file"}});
  v.key("env", Maybe{variable, text}, "The environment's variable that holds the value");
  v.key("file", Maybe{file, text}, "The file that holds the value");
  if (variable) setting = {setting.name, *variable, KafkaSetting::From::environment};
  if (file) setting = {setting.name, *file, KafkaSetting::From::file};
}

/// Settings of librdkafka, by name.
inline auto kafka_settings_shape() {
  return [](std::vector<KafkaSetting>& all) {
    const auto setting = [](KafkaSetting& item) {
      return ShortOr{item.from == KafkaSetting::From::config, Text{item.value},
                     Object{[&item](auto& o) { describe_kafka_setting(o, item); }}};
    };
    return ByName{all, setting};
  };
}

template <class V>
void describe_sink(V& v, KafkaOutput& output) {
  SinkKeys keys = SinkKeys::of(output);
  const auto text = [](std::string& value) { return Text{value}; };
  SourceKind kind = SourceKind::kafka;
  v.key("kind", Choice<SourceKind>{kind, kSinks}, "Where to: topics of Apache Kafka");
  v.required("bootstrap", Text{output.bootstrap},
             "Brokers to begin with, HOST:PORT, separated by commas");
  v.key("decisions", Maybe{keys.decisions, text}, "The topic of decisions; default: none");
  v.key("predictions", Maybe{keys.predictions, text},
        "The topic of the champion's answers to all questions; default: none");
  v.key("kafka", kafka_settings_shape()(output.settings),
        "Settings of librdkafka by name (security.protocol, sasl.mechanism, …); passwords as "
        "{\"env\": NAME} or {\"file\": PATH}");
  keys.store(output);
}

template <class V>
void describe_kafka(V& v, KafkaKeys& keys) {
  const auto text = [](std::string& value) { return Text{value}; };
  v.key("bootstrap", Maybe{keys.bootstrap, text},
        "kafka: brokers to begin with, HOST:PORT, separated by commas");
  v.key("topic", Maybe{keys.topic, text}, "kafka: the topic of events (JSON values)");
  v.key("label_topic", Maybe{keys.label_topic, text},
        "kafka: the topic of label records {id, label, time}, where they have one of their own");
  const auto partitions = [](std::vector<std::uint32_t>& all) {
    const auto number = [](std::uint32_t& value) {
      return Count<std::uint32_t>{value, 0, 1'000'000};
    };
    return AllOr{all, number};
  };
  v.key("partitions", Maybe{keys.partitions, partitions},
        "kafka: which partitions of the topic; default: \"all\", also those that come later");
  const auto start = [](KafkaStart& value) {
    const bool is_short =
        value.at == KafkaStart::At::earliest || value.at == KafkaStart::At::latest;
    return ShortOr{is_short, Choice<KafkaStart::At>{value.at, kStarts},
                   Object{[&value](auto& o) { describe_kafka_start(o, value); }}};
  };
  v.key("start", Maybe{keys.start, start},
        "kafka: where a partition is read from the first time; afterwards it goes on where it "
        "stopped; default: earliest");
  v.key("idle_after",
        Maybe{keys.idle_after,
              [](Millis& value) {
                return Duration{value, 1};
              }},
        "kafka: a partition silent for so long holds event time back no more; default: 1m");
  v.key("group", Maybe{keys.group, text},
        "kafka: the consumer group to share the partitions in; default: none, all are read");
  v.key("kafka", Maybe{keys.settings, kafka_settings_shape()},
        "kafka: settings of librdkafka by name (security.protocol, sasl.mechanism, …); passwords "
        "as {\"env\": NAME} or {\"file\": PATH}");
}

template <class V>
void describe_source(V& v, PipelineConfig& config) {
  SourceKind kind = config.source_kind == "demo"    ? SourceKind::demo
                    : config.source_kind == "kafka" ? SourceKind::kafka
                                                    : SourceKind::file;
  v.key("kind", Choice<SourceKind>{kind, kSources},
        "Where events come from: files named at the start, topics of Apache Kafka, or the "
        "built-in demo stream");
  config.source_kind = name_of(kSources, kind);
  v.key("events", Count<std::uint64_t>{config.demo_events, 1}, "demo: how many events");
  v.key("seed", Count<std::uint64_t>{config.demo_seed}, "demo: equal seeds give equal events");
  KafkaKeys keys = KafkaKeys::of(config);
  describe_kafka(v, keys);
  keys.store(config);
  if (config.source_kind != "kafka" && !keys.first().empty()) {
    v.refuse(keys.first(), "expected only with kind \"kafka\"");
  }
}

}  // namespace freshet
