#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orchestrator/config_recorded.h"
#include "tests/orchestrator/config_text.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

json kafka() {
  json config = minimal();
  config["stream"]["source"] = json::parse(
      R"({"kind": "kafka", "bootstrap": "a:9092", "topic": "tx",
          "partitions": [0, 2], "start": {"offsets": {"0": 7}}, "idle_after": "5s",
          "kafka": {"sasl.username": "me", "sasl.password": {"env": "P"}}})");
  return config;
}

TEST(Config, AKafkaSourceIsReadAndWritten) {
  const PipelineConfig config = parse(kafka());
  EXPECT_EQ(config.kafka.partitions, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(config.kafka.start.offsets, (std::vector<KafkaOffset>{{"0", 7}}));
  EXPECT_EQ(config.kafka.idle_after, 5000);
  EXPECT_EQ(config.kafka.settings.at(0),
            (KafkaSetting{"sasl.password", "P", KafkaSetting::From::environment}));
  EXPECT_EQ(parse_config(write_config(config), "again"), config);
  for (const char* start : {R"("latest")", R"({"time": "2024-01-01T00:00:00Z"})"}) {
    const PipelineConfig other = parse(with(kafka(), "/stream/source/start", json::parse(start)));
    EXPECT_EQ(parse_config(write_config(other), "again"), other);
  }
  EXPECT_THAT(write_config(parse(minimal())), Not(HasSubstr("bootstrap")));
}

TEST(Config, WhatCannotBeReadFromKafkaIsNamed) {
  json config = kafka();
  config["stream"]["source"]["kafka"] = {{"sasl.password", "hunter2"},
                                         {"auto.offset.reset", "latest"}};
  config["stream"]["source"]["topic"] = "a b";
  config["stream"]["source"]["start"] = {{"offsets", {{"first", 1}}}};
  config["stream"]["source"]["label_topic"] = "labels";
  config["stream"]["source"].erase("bootstrap");
  const std::string found = problems(config);
  EXPECT_THAT(found, AllOf(HasSubstr("kafka.sasl.password: is a secret"),
                           HasSubstr("kafka.auto.offset.reset: is Freshet's own"),
                           HasSubstr("source.topic: found \"a b\""),
                           HasSubstr("expected a partition's number"),
                           HasSubstr("label_topic: expected only with stream.label.known"),
                           HasSubstr("source.bootstrap: found none")));
  EXPECT_THAT(found, Not(HasSubstr("hunter2")));
  EXPECT_THAT(problems(with(minimal(), "/stream/source", {{"topic", "t"}})),
              HasSubstr("stream.source.topic: expected only with kind \"kafka\""));
}

TEST(Config, WhatLibrdkafkaRefusesIsNamedBeforeItIsRecorded) {
  json config = kafka();
  config["stream"]["source"]["kafka"] = {{"no.such.thing", {{"env", "P"}}},
                                         {"fetch.wait.max.ms", "soon"},
                                         {"sasl.pasword", "hunter2"},
                                         {"sasl.jaas.config", "password=hunter2;"},
                                         {"ssl.certificate.pem", "-----BEGIN PRIVATE KEY-----"},
                                         {"plugin.library.paths", "/tmp/x"}};
  config["sink"] = {{"bootstrap", "a:9092"}, {"decisions", "d"}, {"kafka", {{"linger", "1"}}}};
  const std::string found = problems(config);
  EXPECT_THAT(found, AllOf(HasSubstr("c.json:1:"),
                           HasSubstr("source.kafka.no.such.thing: No such configuration property"),
                           HasSubstr("source.kafka.fetch.wait.max.ms: Invalid value"),
                           HasSubstr("source.kafka.sasl.pasword: is a secret, and"),
                           HasSubstr("source.kafka.sasl.jaas.config: is a secret, and"),
                           HasSubstr("source.kafka.ssl.certificate.pem: is a secret, and"),
                           HasSubstr("source.kafka.plugin.library.paths: loads code"),
                           HasSubstr("sink.kafka.linger: No such configuration property")));
  EXPECT_THAT(found, AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("PRIVATE"))));
  // The next librdkafka may know other names.
  EXPECT_EQ(parse_recorded_config(config.dump(), "recorded").sink->settings.size(), 1U);
}

TEST(Config, AGroupSharesAllPartitions) {
  json config = kafka();
  config["stream"]["source"]["group"] = "team";
  EXPECT_THAT(problems(config), HasSubstr("source.group: expected only with partitions \"all\""));
  config["stream"]["source"]["partitions"] = "all";
  const PipelineConfig read = parse(config);
  EXPECT_EQ(read.kafka.group, "team");
  EXPECT_EQ(parse_config(write_config(read), "again"), read);
}

TEST(Config, ASinkIsReadAndWritten) {
  const json sink = json::parse(
      R"({"bootstrap": "a:9092", "decisions": "d", "kafka": {"sasl.password": {"file": "/p"}}})");
  const PipelineConfig config = parse(with(minimal(), "/sink", sink));
  ASSERT_TRUE(config.sink.has_value());
  EXPECT_EQ(config.sink->decisions, "d");
  EXPECT_EQ(config.sink->predictions, "");
  EXPECT_EQ(parse_config(write_config(config), "again"), config);
  EXPECT_THAT(write_config(parse(minimal())), Not(HasSubstr("sink")));
  json wrong = sink;
  wrong["kafka"] = {{"sasl.password", "hunter2"}, {"enable.idempotence", "false"}};
  wrong["predictions"] = "d";
  EXPECT_THAT(problems(with(minimal(), "/sink", wrong)),
              AllOf(HasSubstr("sink.kafka.sasl.password: is a secret"), Not(HasSubstr("hunter2")),
                    HasSubstr("sink.kafka.enable.idempotence: is Freshet's own"),
                    HasSubstr("sink.predictions: expected another topic")));
  for (const char* own :
       {"acks", "request.required.acks", "retries", "delivery.timeout.ms", "max.in.flight",
        "delivery.report.only.error", "enable.gapless.guarantee"}) {
    wrong["kafka"] = {{own, "1"}};
    EXPECT_THAT(problems(with(minimal(), "/sink", wrong)),
                HasSubstr(std::string("sink.kafka.") + own + ": is Freshet's own"));
  }
  EXPECT_THAT(problems(with(minimal(), "/sink", {{"bootstrap", "a:9092"}})),
              HasSubstr("expected the topic `decisions`, or `predictions`, or both"));
}

}  // namespace
}  // namespace freshet
