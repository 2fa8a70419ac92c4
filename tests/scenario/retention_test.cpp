// stream.keep: what is old goes, what was decided stays, and what needs the old says so.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "scenario/program.h"
#include "stream/random.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kEvents = 60'000;

class Retention : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    auto config = nlohmann::json::parse(turning_config());
    config["promote"]["refresh"]["keep_every_rows"] = 1000;
    write("all", config);
    config["stream"]["keep"]["bytes"] = 400'000;
    write("few", config);
    run("all");
    run("few");
  }
  static void TearDownTestSuite() { delete scratch_; }

  static void write(const std::string& name, const nlohmann::json& config) {
    scratch_->write(name + ".json", config.dump());
  }
  static std::string path(const std::string& name) { return scratch_->path(name); }
  static std::string arguments(const std::string& config, const std::string& workspace) {
    return "run " + path(config + ".json") + " --json -w " + path(workspace) + " -i " + csv_;
  }
  static void run(const std::string& name) {
    const Outcome outcome = freshet_program(arguments(name, name));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    champion_ = std::to_string(outcome.json().at("champion").at("version").get<int>());
  }
  static std::uint64_t number(const std::string& workspace, const std::string& file,
                              const std::string& select) {
    SQLite::Database database(path(workspace) + "/pipelines/turning/" + file);
    return static_cast<std::uint64_t>(database.execAndGet(select).getInt64());
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string csv_;
  static inline std::string champion_;
};

TEST_F(Retention, OldRecordsAndRowsGoAndNothingThatWasDecidedChanges) {
  EXPECT_GT(number("few", "log.db", "SELECT min(first) FROM batches"), 0U);
  EXPECT_GT(number("few", "rows.db", "SELECT min(kept) FROM series"), 10'000U);
  EXPECT_LT(number("few", "rows.db", "SELECT sum(length(payload)) FROM chunks"),
            number("all", "rows.db", "SELECT sum(length(payload)) FROM chunks") * 3 / 4);
  const nlohmann::json all = fingerprint_of(path("all"));
  const nlohmann::json few = fingerprint_of(path("few"));
  for (const std::string part : {"log", "rows", "live", "learners", "evaluations"}) {
    EXPECT_EQ(few.at(part), all.at(part)) << part;
  }
  EXPECT_EQ(freshet_program("registry verify -w " + path("few")).code, 0);
}

TEST_F(Retention, KillsChangeNothing) {
  KeyedGenerator generator(17);
  for (int kill = 0; kill < 6; ++kill) {
    start_and_kill(arguments("few", "killed"), 100 + static_cast<int>(generator.below(600)));
  }
  const Outcome last = freshet_program(arguments("few", "killed"));
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(fingerprint_of(path("killed")).dump(2), fingerprint_of(path("few")).dump(2));
}

TEST_F(Retention, ARevisionIsMadeAgainFromAnAnchorAndAnOldOneIsRefused) {
  const Outcome newest = freshet_program("registry reproduce " + champion_ + " -w " + path("few"));
  EXPECT_EQ(newest.code, 0) << newest.err;
  EXPECT_THAT(newest.out, HasSubstr("from the anchor " + champion_ + "@"));
  const Outcome old = freshet_program("registry reproduce 1@5000 -w " + path("few"));
  EXPECT_EQ(old.code, 1);
  EXPECT_THAT(old.err, HasSubstr("stream.keep"));
}

TEST_F(Retention, WhatIsKeptIsErasedAndDoneAgainItIsTheSameDecision) {
  std::filesystem::copy(path("few"), path("erased"), std::filesystem::copy_options::recursive);
  const std::string erase = "events erase --reason r --json -w " + path("erased") + " --key ";
  EXPECT_EQ(freshet_program(erase + "17").code, 3) << "dropped";
  const Outcome outcome = freshet_program(erase + "kind=k1");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(freshet_program("workspace check -w " + path("erased")).code, 0);
  SQLite::Database(path("erased/registry.db"), SQLite::OPEN_READWRITE)
      .exec(
          "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
          "max(number) FROM checkpoints)");
  const Outcome again = freshet_program(arguments("few", "erased"));
  EXPECT_EQ(again.code, 0) << again.err;
  const Outcome history = freshet_program("registry history --json -w " + path("erased"));
  const std::string last = history.out.substr(history.out.rfind('\n', history.out.size() - 2) + 1);
  EXPECT_EQ(nlohmann::json::parse(last).at("figures"), outcome.json().at("figures")) << last;
}

TEST_F(Retention, WhatNeedsTheWholeLogSaysSince) {
  const Outcome copy = freshet_program("run -w " + path("copy") + " --from-log " + path("few"));
  EXPECT_EQ(copy.code, 1);
  EXPECT_THAT(copy.err, HasSubstr("the log begins at position"));
  ASSERT_EQ(freshet_program(arguments("few", "lost")).code, 0);
  ASSERT_EQ(std::remove((path("lost") + "/pipelines/turning/rows.db").c_str()), 0);
  const Outcome lost = freshet_program(arguments("few", "lost"));
  EXPECT_EQ(lost.code, 1);
  EXPECT_THAT(lost.err, HasSubstr("restore a backup"));
}

TEST_F(Retention, ABackupHoldsWhatStays) {
  const Outcome backup =
      freshet_program("workspace backup -w " + path("few") + " --to " + path("backup"));
  ASSERT_EQ(backup.code, 0) << backup.err;
  EXPECT_EQ(fingerprint_of(path("backup")).dump(2), fingerprint_of(path("few")).dump(2));
  EXPECT_EQ(freshet_program("workspace check -w " + path("backup")).code, 0);
  EXPECT_EQ(freshet_program(arguments("few", "backup")).code, 0);
}

TEST_F(Retention, ANewLearnerBeginsWithTheFirstRowThatStays) {
  ASSERT_EQ(freshet_program(arguments("few", "applied")).code, 0);
  auto config = nlohmann::json::parse(turning_config());
  config["promote"]["refresh"]["keep_every_rows"] = 1000;
  config["stream"]["keep"]["bytes"] = 400'000;
  config["learners"].push_back({{"name", "late"}, {"network", {{"kind", "linear"}}}});
  write("more", config);
  const Outcome apply = freshet_program("pipeline apply " + path("more.json") + " -w " +
                                        path("applied") + " --reason more");
  ASSERT_EQ(apply.code, 0) << apply.err;
  const Outcome history = freshet_program("registry history -w " + path("applied"));
  EXPECT_THAT(history.out, ::testing::ContainsRegex("\\(late\\) has learned rows \\[[1-9]"));
}

TEST_F(Retention, AnswersThatWaitToBePublishedStay) {
  auto config = nlohmann::json::parse(turning_config());
  config["promote"]["refresh"]["keep_every_rows"] = 1000;
  config["stream"]["keep"]["bytes"] = 400'000;
  config["sink"] = {{"bootstrap", "127.0.0.1:9"}, {"predictions", "answers"}};
  write("publishing", config);
  const std::vector<std::string> lines = turning_csv(kEvents + 10'000);
  const std::string file = scratch_->write("growing.csv", joined(lines, 0, kEvents + 1));
  const std::string command = "run " + path("publishing.json") + " -w " + path("p") + " -i " + file;
  ASSERT_EQ(freshet_program(command).code, 0);
  EXPECT_EQ(number("p", "log.db", "SELECT min(first) FROM batches"), 0U);
  scratch_->write("p/pipelines/turning/outbox.json",
                  R"({"format": 1, "decisions": 0, "predictions": 1000000})");
  scratch_->write("growing.csv", joined(lines, 0, lines.size()));
  ASSERT_EQ(freshet_program(command).code, 0);
  EXPECT_GT(number("p", "log.db", "SELECT min(first) FROM batches"), 0U);
}

TEST_F(Retention, AReservoirAndALimitOnAgeExcludeEachOther) {
  auto config = nlohmann::json::parse(turning_config());
  config["stream"]["keep"]["age"] = "30d";
  config["learners"][0]["train"]["replay"] = {{"kind", "reservoir"}};
  write("reservoir", config);
  const Outcome check = freshet_program("pipeline check " + path("reservoir.json"));
  EXPECT_NE(check.code, 0);
  EXPECT_THAT(check.out + check.err, HasSubstr("replays a reservoir"));
}

}  // namespace
}  // namespace freshet
