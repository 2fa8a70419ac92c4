// Another config takes over at a position of the log, and every replay takes it over there too.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "scenario/program.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 9000;
constexpr std::size_t kBefore = 5000;

json first_config() {
  json config = json::parse(turning_config());
  config["promote"]["probation"]["rows"] = 500;
  config["evaluate"]["restart_after_rows"] = 1000;
  return config;
}

/// "linear" learns otherwise, "third" is new, "network" stays.
json second_config() {
  json config = first_config();
  config["learners"][0]["train"]["learning_rate"] = 0.05;
  config["learners"].insert(config["learners"].begin(),
                            json{{"name", "third"}, {"network", {{"hidden", {24}}}}});
  config["promote"]["alpha"] = 0.04;
  return config;
}

class Apply : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    const auto lines = turning_csv(kEvents);
    scratch_->write("a.csv", joined(lines, 0, kBefore + 1));
    scratch_->write("b.csv", lines[0] + "\n" + joined(lines, kBefore + 1, lines.size()));
    scratch_->write("first.json", first_config().dump());
    scratch_->write("second.json", second_config().dump());
    make("reference");
    go_on("reference");
    reference_ = fingerprint_of(scratch_->path("reference"));
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string on(const std::string& workspace) {
    return " -w " + scratch_->path(workspace) + " ";
  }
  static void make(const std::string& workspace) {
    const Outcome run = freshet_program("run " + scratch_->path("first.json") + on(workspace) +
                                        "-i " + scratch_->path("a.csv"));
    ASSERT_EQ(run.code, 0) << run.err;
    applied_ = apply("second.json", workspace);
    ASSERT_EQ(applied_.code, 0) << applied_.err;
  }
  static Outcome apply(const std::string& config, const std::string& workspace) {
    return freshet_program("pipeline apply " + scratch_->path(config) + on(workspace) +
                           "--reason 'to try'");
  }
  static void go_on(const std::string& workspace) {
    const Outcome run =
        freshet_program("run" + on(workspace) + "-i " + scratch_->path("b.csv") + " --json");
    ASSERT_EQ(run.code, 0) << run.err;
  }
  static Outcome registry(const std::string& arguments, const std::string& workspace) {
    return freshet_program("registry " + arguments + on(workspace));
  }
  static void damage_newest_checkpoint(const std::string& workspace) {
    SQLite::Database database(scratch_->path(workspace + "/registry.db"), SQLite::OPEN_READWRITE);
    database.exec(
        "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
        "max(number) FROM checkpoints)");
  }
  static void expect_same(const std::string& workspace) {
    EXPECT_EQ(fingerprint_of(scratch_->path(workspace)).dump(2), reference_.dump(2));
  }
  static json champion(const std::string& workspace) {
    for (const json& version : registry("list --json", workspace).json()) {
      for (const json& alias : version["aliases"]) {
        if (alias == "champion") return version;
      }
    }
    return nullptr;
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline Outcome applied_;
  static inline json reference_;
};

TEST_F(Apply, ANewAndAChangedRecipeStartLearnersWhoseEvidenceStartsThere) {
  EXPECT_THAT(applied_.out, HasSubstr("learners.linear.train.learning_rate: 0.1 -> 0.05"));
  EXPECT_THAT(applied_.out, HasSubstr("learners.third: absent"));
  EXPECT_THAT(applied_.out, HasSubstr("learner_started"));
  const json versions = registry("list --json", "reference").json();
  std::vector<std::uint64_t> started;
  for (const json& v : versions) {
    if (v["kind"] == "learner" && v["created_row"] > 0) started.push_back(v["version"]);
  }
  ASSERT_EQ(started.size(), 2U) << versions;
  for (const std::uint64_t version : started) {
    const json shown = registry("show --json " + std::to_string(version), "reference").json();
    EXPECT_EQ(shown["lineage"]["rows"][0], 0);
    for (const json& evaluation : shown["evaluations"]) {
      if (evaluation["candidate"] == version) {
        EXPECT_GE(evaluation["start_question"], kBefore);
      }
    }
  }
}

TEST_F(Apply, ADamagedCheckpointFallsBackToTheConfigBefore) {
  make("damaged");
  damage_newest_checkpoint("damaged");
  go_on("damaged");
  expect_same("damaged");
}

TEST_F(Apply, LostRowsAreDerivedAgainUnderBothConfigs) {
  make("lost");
  go_on("lost");
  std::filesystem::remove(scratch_->path("lost/pipelines/turning/rows.db"));
  const Outcome again =
      freshet_program("run" + on("lost") + "-i " + scratch_->path("b.csv") + " --json");
  ASSERT_EQ(again.code, 0) << again.err;
  expect_same("lost");
}

TEST_F(Apply, ACopiedLogWithoutAConfigIsReplayedWithItsCommands) {
  const Outcome run =
      freshet_program("run" + on("copied") + "--json --from-log " + scratch_->path("reference"));
  ASSERT_EQ(run.code, 0) << run.err;
  expect_same("copied");
}

TEST_F(Apply, ALearnerThatCameLateHasLearnedAsOneThatWasThereFromTheStart) {
  make("late");
  std::uint64_t version = 0;
  for (const json& v : registry("list --json", "late").json()) {
    if (v["recipe"] == "third") version = v["version"];
  }
  const std::string name = std::to_string(version);
  ASSERT_EQ(registry("promote " + name + " --reason 'by hand'", "late").code, 0);
  const Outcome made = registry("reproduce --json --from-start " + name, "late");
  EXPECT_EQ(made.code, 0) << made.out << made.err;
  EXPECT_EQ(made.json()["same"], true);
}

TEST_F(Apply, TheChampionsLearnerIsFollowedUntilAnotherServes) {
  const Outcome run = freshet_program("run " + scratch_->path("first.json") + on("gone") + "-i " +
                                      scratch_->path("a.csv"));
  ASSERT_EQ(run.code, 0) << run.err;
  const json before = champion("gone");
  json config = first_config();
  const std::size_t gone = config["learners"][0]["name"] == before["recipe"] ? 0 : 1;
  const std::string other = config["learners"][1 - gone]["name"];
  config["learners"].erase(gone);
  config["retrain"] = json::object();
  scratch_->write("gone.json", config.dump());
  const Outcome applied = apply("gone.json", "gone");
  ASSERT_EQ(applied.code, 0) << applied.err;
  EXPECT_THAT(applied.out, HasSubstr("learner stops"));
  // In two pieces: the first leaves it champion, then the other is promoted by hand.
  const auto lines = turning_csv(kEvents);
  const std::string head = lines[0] + "\n";
  scratch_->write("b1.csv", head + joined(lines, kBefore + 1, kBefore + 301));
  scratch_->write("b2.csv", head + joined(lines, kBefore + 301, kBefore + 2001));
  ASSERT_EQ(freshet_program("run" + on("gone") + "-i " + scratch_->path("b1.csv")).code, 0);
  const json after = champion("gone");
  EXPECT_EQ(after["version"], before["version"]);
  EXPECT_NE(after["revision"], before["revision"]) << "it is still refreshed";
  for (const json& v : registry("list --json", "gone").json()) {
    if (v["recipe"] != other || v["status"] != "learning") continue;
    const std::string name = std::to_string(v["version"].get<int>());
    ASSERT_EQ(registry("promote " + name + " --reason 'by hand'", "gone").code, 0);
  }
  ASSERT_EQ(freshet_program("run" + on("gone") + "-i " + scratch_->path("b2.csv")).code, 0);
  const std::string number = std::to_string(before["version"].get<int>());
  const json shown = registry("show --json " + number, "gone").json();
  EXPECT_EQ(shown["status"], "retired");
  EXPECT_GT(shown["stopped_row"], kBefore);
}

TEST_F(Apply, WhatTheRecordedRowsDependOnIsRefused) {
  json config = second_config();
  config["tick_rows"] = 32;
  scratch_->write("tick.json", config.dump());
  const Outcome refused = apply("tick.json", "reference");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("tick_rows cannot change"));
  expect_same("reference");
}

}  // namespace
}  // namespace freshet
