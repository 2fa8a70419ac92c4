// The same log gives the same bits, however it came in, was cut, or was interrupted. One run of a
// stream with late labels, a promotion and rejections is the reference for all.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "scenario/program.h"
#include "stream/random.h"

namespace freshet {
namespace {

constexpr std::size_t kEvents = 16000;

class Reproduction : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("config.json", turning_config());
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    const Outcome outcome = run("reference", "--input " + csv_);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    summary_ = outcome.json();
    reference_ = fingerprint_of(scratch_->path("reference"));
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string arguments(const std::string& workspace, const std::string& rest) {
    return "run " + config_ + " --json -w " + scratch_->path(workspace) + " " + rest;
  }
  static Outcome run(const std::string& workspace, const std::string& rest,
                     const std::string& prefix = "", const std::string& input = "") {
    return freshet_program(arguments(workspace, rest), prefix, input);
  }
  static void expect_same(const std::string& workspace) {
    EXPECT_EQ(fingerprint_of(scratch_->path(workspace)).dump(2), reference_.dump(2));
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
  static inline nlohmann::json summary_;
  static inline nlohmann::json reference_;
};

TEST_F(Reproduction, TheReferenceHoldsAPromotionARejectionAndOpenQuestions) {
  EXPECT_GE(summary_["promotions"].get<int>(), 1);
  EXPECT_GE(summary_["rejections"].get<int>(), 1);
  EXPECT_EQ(summary_["labels"]["open"].get<int>(), 120);
  EXPECT_EQ(summary_["rows"].get<std::size_t>(), kEvents - 120);
}

TEST_F(Reproduction, ASecondRunIsTheSame) {
  ASSERT_EQ(run("again", "--input " + csv_).code, 0);
  expect_same("again");
}

TEST_F(Reproduction, TheReadChunkChangesNothing) {
  for (const std::string chunk : {"1", "7", "1000"}) {
    ASSERT_EQ(run("chunk" + chunk, "--read-chunk " + chunk + " --input " + csv_).code, 0);
    expect_same("chunk" + chunk);
  }
}

TEST_F(Reproduction, PiecesGivenOneAfterAnotherChangeNothing) {
  const auto lines = turning_csv(kEvents);
  for (std::size_t begin = 1, piece = 0; begin < lines.size(); ++piece) {
    const std::size_t end = std::min(lines.size(), begin + 1 + 3777 * (piece + 1));
    const std::string name = "piece" + std::to_string(piece) + ".csv";
    scratch_->write(name, lines[0] + "\n" + joined(lines, begin, end));
    ASSERT_EQ(run("pieces", "--input " + scratch_->path(name)).code, 0);
    begin = end;
  }
  expect_same("pieces");
}

TEST_F(Reproduction, JsonLinesByStandardInputChangeNothing) {
  const std::string text = joined(turning_jsonl(kEvents), 0, kEvents);
  ASSERT_EQ(run("stdin", "--input -", "", text).code, 0);
  expect_same("stdin");
}

TEST_F(Reproduction, TheWorkersSpeedAndTheNumberOfCoresChangeNothing) {
  ASSERT_EQ(run("delayed", "--worker-delay 3 --input " + csv_).code, 0);
  expect_same("delayed");
  ASSERT_EQ(run("pinned", "--input " + csv_, "taskset -c 0").code, 0);
  expect_same("pinned");
}

TEST_F(Reproduction, AnotherWorkspacesLogGivesTheSame) {
  ASSERT_EQ(run("copied", "--from-log " + scratch_->path("reference")).code, 0);
  expect_same("copied");
}

TEST_F(Reproduction, KillsAtRandomMomentsChangeNothing) {
  KeyedGenerator generator(11);
  for (int kill = 0; kill < 20; ++kill) {
    start_and_kill(arguments("killed", "--input " + csv_),
                   20 + static_cast<int>(generator.below(500)));
  }
  const Outcome last = run("killed", "--input " + csv_);
  ASSERT_EQ(last.code, 0) << last.err;
  expect_same("killed");
}

TEST_F(Reproduction, KillsLoseNothingOfALogThatIsSyncedNowAndThen) {
  auto config = nlohmann::json::parse(turning_config());
  config["stream"]["durability"] = "batch";
  const std::string command = "run " + scratch_->write("batch.json", config.dump()) +
                              " --json -w " + scratch_->path("batch") + " --input " + csv_;
  KeyedGenerator generator(12);
  for (int kill = 0; kill < 6; ++kill) {
    start_and_kill(command, 50 + static_cast<int>(generator.below(400)));
  }
  ASSERT_EQ(freshet_program(command).code, 0);
  const nlohmann::json parts = fingerprint_of(scratch_->path("batch"));
  for (const std::string part : {"log", "rows", "live", "learners", "evaluations"}) {
    EXPECT_EQ(parts.at(part), reference_.at(part)) << part;
  }
}

TEST_F(Reproduction, GoingOnUnderAnotherProfileIsADecision) {
  const auto lines = turning_csv(kEvents);
  const std::string first = scratch_->write("first.csv", joined(lines, 0, 4001));
  const std::string rest = scratch_->write("rest.csv", lines[0] + "\n" + joined(lines, 4001, 8001));
  ASSERT_EQ(run("profiles", "--input " + first).code, 0);
  ASSERT_EQ(run("profiles", "--input " + rest, "ATEN_CPU_CAPABILITY=default").code, 0);
  const Outcome history = freshet_program("registry history -w " + scratch_->path("profiles"));
  EXPECT_NE(history.out.find("build changed at row"), std::string::npos) << history.out;
  EXPECT_NE(history.out.find("profile default/"), std::string::npos) << history.out;
}

TEST_F(Reproduction, LostRowsAreDerivedFromTheLogAgain) {
  ASSERT_EQ(run("lost", "--input " + csv_).code, 0);
  const std::string rows = scratch_->path("lost/pipelines/turning/rows.db");
  ASSERT_TRUE(std::filesystem::remove(rows));
  const Outcome again = run("lost", "--input " + csv_);
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("derived from the log again"), std::string::npos) << again.err;
  expect_same("lost");
}

TEST_F(Reproduction, RunningAgainSaysThatThereIsNothingNew) {
  ASSERT_EQ(run("twice", "--input " + csv_).code, 0);
  const Outcome again = run("twice", "--input " + csv_);
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("nothing new"), std::string::npos) << again.err;
  expect_same("twice");
}

}  // namespace
}  // namespace freshet
