// The program reading from a real Apache Kafka while things go wrong.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "kafka/fixture.h"
#include "scenario/service.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// The program's config of the same events.
std::string program_config(const KafkaInput& input) {
  const json source = {{"kind", "kafka"}, {"bootstrap", input.bootstrap}, {"topic", input.topic}};
  json config = json::parse(R"({"pipeline": "p", "task": "binary", "stream": {
    "event": {"time": {"field": "time", "unit": "ms"}, "fields": {"part": "number", "n": "number"}},
    "label": {"field": "label"}, "out_of_orderness": "1d"},
    "learners": [{"name": "linear", "network": {"kind": "linear"},
                  "train": {"optimizer": "sgd", "learning_rate": 0.01}}]})");
  config["stream"]["source"] = source;
  return config.dump();
}

TEST_F(Kafka, ARetentionGapStopsTheProgramUntilItsLossIsAccepted) {
  broker_->create_topic(topic_, 1);
  produce(0, 0, 10);
  const std::string config = folder_.write("config.json", program_config(input()));
  const std::string workspace = folder_.path("w");
  const std::string run = "run " + config + " -w " + workspace;
  ASSERT_EQ(freshet_program(run).code, 0);
  produce(0, 10, 20);
  broker_->delete_records(topic_, 0, 15);
  const Outcome stopped = freshet_program(run);
  EXPECT_NE(stopped.code, 0);
  EXPECT_THAT(stopped.err, AllOf(HasSubstr(topic_ + ", partition 0: offsets 10 to 14 are gone"),
                                 HasSubstr("freshet events accept-loss " + topic_ + "/0 --to 15")));
  const Outcome accepted = freshet_program("events accept-loss " + topic_ +
                                           "/0 --to 15 --reason weekend -w " + workspace);
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  ASSERT_EQ(freshet_program(run).code, 0);
  const json stats = freshet_program("events stats --json -w " + workspace).json();
  EXPECT_EQ(stats["accepted"], 15);
  EXPECT_THAT(freshet_program("events dead-letters -w " + workspace).out,
              HasSubstr("the loss of offsets 10 to 14 was accepted: weekend"));
}

TEST_F(Kafka, TheProgramKilledAgainAndAgainHasEachRecordOnce) {
  constexpr int kRecords = 30'000;
  broker_->create_topic(topic_, 3);
  for (int part = 0; part < 3; ++part) produce(part, 0, kRecords);
  const std::string config = folder_.write("config.json", program_config(input()));
  const std::string workspace = folder_.path("w");
  const std::string run = "run " + config + " -w " + workspace + " --read-chunk 100";
  const auto head_now = [&] {
    const Outcome stats = freshet_program("events stats --json -w " + workspace);
    return stats.code == 0 ? stats.json()["head"].get<std::uint64_t>() : 0;
  };
  std::uint64_t head = 0;
  int in_midstream = 0;
  for (int kill = 0; kill < 6; ++kill) {
    RunningProgram program(run);  // killed when this goes
    const std::uint64_t before = head;
    while (head < before + 1500 && !program.ends_within(5)) head = head_now();
    in_midstream += program.ends_within(1) ? 0 : 1;
  }
  EXPECT_GE(in_midstream, 2);
  ASSERT_EQ(freshet_program(run).code, 0);
  const std::string undisturbed = folder_.path("undisturbed");
  ASSERT_EQ(freshet_program("run --from-log " + workspace + " -w " + undisturbed).code, 0);
  EXPECT_EQ(fingerprint_of(workspace), fingerprint_of(undisturbed));
  const auto log = EventLog::open_reader(workspace + "/pipelines/p/log.db");
  Schema schema = schema_;
  std::swap(schema.fields[0], schema.fields[1]);  // in the order of a parsed config's names
  for (const SourceProgress& at : log->all_progress()) {
    EXPECT_EQ(at.offset, static_cast<std::uint64_t>(kRecords)) << at.name;
    EXPECT_EQ(at.records, static_cast<std::uint64_t>(kRecords)) << at.name;
  }
  EXPECT_THAT(numbers_in(*log, schema, 3),
              ElementsAre(counting(kRecords), counting(kRecords), counting(kRecords)));
}

/// What the server measures, once `line` is among it.
std::string metrics_with(const ServedProgram& server, const std::string& line) {
  std::string all;
  for (int tries = 0; tries < 200 && all.find(line) == std::string::npos; ++tries) {
    ::usleep(tries == 0 ? 0 : 50'000);
    all = server.get("/metrics").body;
  }
  EXPECT_THAT(all, HasSubstr(line));
  return all;
}

TEST_F(Kafka, TheServerKilledWhileTheBrokerGoesAndComesHasEachRecordOnce) {
  constexpr int kRecords = 8000;
  broker_->create_topic(topic_, 3);
  const std::string config = folder_.write("config.json", program_config(input()));
  const std::string workspace = folder_.path("w");
  const std::string arguments = config + " -w " + workspace;
  const auto reach = [&](std::uint64_t least) {
    for (int tries = 0; tries < 300; ++tries) {
      const Outcome stats = freshet_program("events stats --json -w " + workspace);
      if (stats.code == 0 && stats.json()["head"] >= least) return true;
      ::usleep(100'000);
    }
    return false;
  };
  for (int round = 1; round <= 4; ++round) {
    ServedProgram server(arguments);
    for (int part = 0; part < 3; ++part) {
      produce(part, kRecords / 4 * (round - 1), kRecords / 4 * round);
    }
    if (round == 2) {
      broker_->stop();
      const std::string metrics =
          metrics_with(server, "freshet_source_in_trouble{pipeline=\"p\"} 1");
      EXPECT_THAT(metrics, AllOf(HasSubstr("freshet_source_errors_total{pipeline=\"p\"} "),
                                 Not(HasSubstr("freshet_source_errors_total{pipeline=\"p\"} 0"))));
      broker_->start();
    }
    ASSERT_TRUE(reach(3U * kRecords / 4U * static_cast<unsigned>(round) - 2000U));
    if (round < 4) {
      server.kill();
      continue;
    }
    ASSERT_TRUE(reach(3U * kRecords));
    const std::string of = "{pipeline=\"p\",input=\"kafka:" + topic_ + "/0\"} ";
    EXPECT_THAT(metrics_with(server, "freshet_source_lag_records" + of + "0"),
                HasSubstr(fmt::format("freshet_source_records_total{}{}\n", of, kRecords)));
    EXPECT_EQ(server.stop().code, 0);
  }
  Schema schema = schema_;
  std::swap(schema.fields[0], schema.fields[1]);
  EXPECT_THAT(numbers_in(*EventLog::open_reader(workspace + "/pipelines/p/log.db"), schema, 3),
              ElementsAre(counting(kRecords), counting(kRecords), counting(kRecords)));
}

}  // namespace
}  // namespace freshet
