#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <variant>

#include "orchestrator/config_check.h"
#include "orchestrator/config_describe_source.h"
#include "stream/kafka_settings.h"

namespace freshet {

KafkaKeys KafkaKeys::of(const PipelineConfig& config) {
  KafkaKeys keys;
  if (config.source_kind != "kafka") return keys;
  const KafkaInput& kafka = config.kafka;
  keys.bootstrap = kafka.bootstrap;
  keys.topic = kafka.topic;
  if (!kafka.label_topic.empty()) keys.label_topic = kafka.label_topic;
  if (!kafka.group.empty()) keys.group = kafka.group;
  keys.partitions = kafka.partitions;
  keys.start = kafka.start;
  keys.idle_after = kafka.idle_after;
  keys.settings = kafka.settings;
  return keys;
}

void KafkaKeys::store(PipelineConfig& config) const {
  if (config.source_kind != "kafka") return;
  KafkaInput& kafka = config.kafka;
  kafka.bootstrap = bootstrap.value_or("");
  kafka.topic = topic.value_or("");
  kafka.label_topic = label_topic.value_or("");
  kafka.group = group.value_or("");
  kafka.partitions = partitions.value_or(std::vector<std::uint32_t>());
  kafka.start = start.value_or(KafkaStart());
  kafka.idle_after = idle_after.value_or(kMinute);
  kafka.settings = settings.value_or(std::vector<KafkaSetting>());
}

SinkKeys SinkKeys::of(const KafkaOutput& output) {
  SinkKeys keys;
  if (!output.decisions.empty()) keys.decisions = output.decisions;
  if (!output.predictions.empty()) keys.predictions = output.predictions;
  return keys;
}

void SinkKeys::store(KafkaOutput& output) const {
  output.decisions = decisions.value_or("");
  output.predictions = predictions.value_or("");
}

KafkaStartKeys KafkaStartKeys::of(const KafkaStart& start) {
  KafkaStartKeys keys;
  if (start.at == KafkaStart::At::time) keys.time = start.time;
  if (start.at == KafkaStart::At::offsets) {
    keys.offsets = start.offsets;
    if (!start.label_offsets.empty()) keys.label_offsets = start.label_offsets;
  }
  return keys;
}

void KafkaStartKeys::store(KafkaStart& start) const {
  if (time) {
    start = KafkaStart();
    start.at = KafkaStart::At::time;
    start.time = *time;
  } else if (offsets) {
    start = KafkaStart();
    start.at = KafkaStart::At::offsets;
    start.offsets = *offsets;
    if (label_offsets) start.label_offsets = *label_offsets;
  }
}

std::string_view KafkaKeys::first() const {
  if (bootstrap) return "bootstrap";
  if (topic) return "topic";
  if (label_topic) return "label_topic";
  if (partitions) return "partitions";
  if (start) return "start";
  if (idle_after) return "idle_after";
  if (group) return "group";
  return settings ? "kafka" : "";
}

namespace {

using Place = ConfigPlace;

void check_topic(const std::string& topic, const Place& place, ConfigProblems& problems) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (!topic.empty() && topic.size() <= 249 && std::all_of(topic.begin(), topic.end(), allowed)) {
    return;
  }
  problems.consequence(place, fmt::format("found \"{}\", expected a topic: 1 to 249 letters, "
                                          "digits, '.', '_' or '-'",
                                          topic.substr(0, 80)));
}

void check_offsets(const std::vector<KafkaOffset>& offsets, const Place& place,
                   ConfigProblems& problems) {
  for (const KafkaOffset& offset : offsets) {
    const std::string& name = offset.name;
    const bool number =
        !name.empty() && name.size() < 10 &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
        (name.size() == 1 || name[0] != '0');
    if (!number) problems.key(place.key(name), "expected a partition's number, as \"0\"");
  }
}

bool states_secret(const KafkaSetting& setting) {
  return setting.from == KafkaSetting::From::config &&
         (is_secret_setting(setting.name) ||
          setting.value.find("PRIVATE KEY-----") != std::string::npos);
}

void check_settings(const std::vector<KafkaSetting>& settings, const Place& owner,
                    ConfigProblems& problems) {
  for (const KafkaSetting& setting : settings) {
    const Place place = owner.key("kafka").key(setting.name);
    if (setting.name == "bootstrap.servers") {
      problems.key(place, "stands in " + owner.path + ".bootstrap: leave it out");
    } else if (is_fixed_setting(setting.name)) {
      problems.key(place, "is Freshet's own, as no record is to be lost: leave it out");
    } else if (states_secret(setting)) {
      problems.key(place,
                   "is a secret, and a config is recorded and shown: expected {\"env\": NAME} or "
                   "{\"file\": PATH}");
    } else if (const std::string why = kafka_setting_refusal(setting); !why.empty()) {
      problems.key(place, why);
    }
  }
}

void check_kafka(const PipelineConfig& config, const Place& place, ConfigProblems& problems) {
  const KafkaInput& kafka = config.kafka;
  if (kafka.bootstrap.empty()) {
    problems.consequence(place.key("bootstrap"),
                         "found none, expected brokers, as \"127.0.0.1:9092\"");
  }
  check_topic(kafka.topic, place.key("topic"), problems);
  if (!kafka.label_topic.empty()) {
    check_topic(kafka.label_topic, place.key("label_topic"), problems);
    if (kafka.label_topic == kafka.topic) {
      problems.consequence(place.key("label_topic"),
                           "expected another topic than `topic`; label "
                           "records may stand among the events there");
    }
    if (config.schema.label.known != LabelKnown::later) {
      problems.consequence(place.key("label_topic"),
                           "expected only with stream.label.known \"later\"");
    }
  }
  if (std::holds_alternative<TimeEvery>(config.schema.time.form)) {
    problems.consequence(Place::at("stream", "event", "time"),
                         "partitions are merged by event time, expected a field; {\"field\": "
                         "\"$timestamp\", \"unit\": \"ms\"} is the record's own");
  }
  const std::set<std::uint32_t> once(kafka.partitions.begin(), kafka.partitions.end());
  if (once.size() != kafka.partitions.size()) {
    problems.consequence(place.key("partitions"), "expected each partition once");
  }
  const Place start = place.key("start");
  check_offsets(kafka.start.offsets, start.key("offsets"), problems);
  check_offsets(kafka.start.label_offsets, start.key("label_offsets"), problems);
  if (!kafka.group.empty() && !kafka.partitions.empty()) {
    problems.consequence(place.key("group"),
                         "expected only with partitions \"all\": a group's brokers share them out");
  }
}

}  // namespace

void check_sink(const PipelineConfig& config, ConfigProblems& problems) {
  if (!config.sink) return;
  const Place place = Place::at("sink");
  const KafkaOutput& sink = *config.sink;
  if (sink.bootstrap.empty()) {
    problems.consequence(place.key("bootstrap"),
                         "found none, expected brokers, as \"127.0.0.1:9092\"");
  }
  if (sink.decisions.empty() && sink.predictions.empty()) {
    problems.consequence(place, "expected the topic `decisions`, or `predictions`, or both");
  }
  if (!sink.decisions.empty()) check_topic(sink.decisions, place.key("decisions"), problems);
  if (!sink.predictions.empty()) check_topic(sink.predictions, place.key("predictions"), problems);
  if (!sink.decisions.empty() && sink.decisions == sink.predictions) {
    problems.consequence(place.key("predictions"), "expected another topic than `decisions`");
  }
}

void check_kafka_settings(const PipelineConfig& config, ConfigProblems& problems) {
  check_settings(config.kafka.settings, Place::at("stream", "source"), problems);
  if (config.sink) check_settings(config.sink->settings, Place::at("sink"), problems);
}

void check_source(const PipelineConfig& config, ConfigProblems& problems) {
  const Place place = Place::at("stream", "source");
  if (config.source_kind == "kafka") check_kafka(config, place, problems);
  if (config.source_kind == "demo") return;
  for (const char* name : {"events", "seed"}) {
    const bool stated = name[0] == 'e' ? config.demo_events != 60'000 : config.demo_seed != 1;
    if (stated) problems.consequence(place.key(name), "expected only with kind \"demo\"");
  }
}

}  // namespace freshet
