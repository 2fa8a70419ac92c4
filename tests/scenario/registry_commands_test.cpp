// What an operator does with a workspace on the command line.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "scenario/program.h"

namespace freshet {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 12000;

class RegistryCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = scratch_.write("config.json", turning_config());
    csv_ = scratch_.write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    workspace_ = scratch_.path("w");
    const Outcome outcome =
        freshet_program("run " + config_ + " -w " + workspace_ + " -i " + csv_ + " --json");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    summary_ = outcome.json();
    ASSERT_GE(summary_["promotions"].get<int>(), 1);
  }

  Outcome registry(const std::string& arguments) const {
    return freshet_program("registry " + arguments + " -w " + workspace_);
  }
  std::string live() const {
    for (const auto& version : registry("list --json").json()) {
      for (const auto& alias : version["aliases"]) {
        if (alias == "champion") return version["revision"];
      }
    }
    return "";
  }

  ScratchFolder scratch_;
  std::string config_;
  std::string csv_;
  std::string workspace_;
  nlohmann::json summary_;
};

TEST_F(RegistryCommands, RollbackServesThePreviousVersionAndPauses) {
  const std::string before = live();
  const Outcome outcome = registry("rollback --reason 'too many complaints' --json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto last = nlohmann::json::parse(
      outcome.out.substr(outcome.out.rfind('\n', outcome.out.size() - 2) + 1));
  EXPECT_EQ(last["kind"], "rolled_back");
  EXPECT_EQ(last["reason"], "too many complaints");
  EXPECT_EQ(last["from"], before);
  EXPECT_NE(live(), before);
  const std::string frozen = live();
  const std::string more = scratch_.write("more.csv", joined(turning_csv(4000), 0, 4001));
  ASSERT_EQ(freshet_program("run -w " + workspace_ + " -i " + more).code, 0);
  EXPECT_EQ(live(), frozen) << "a rolled-back champion is frozen";
  ASSERT_EQ(freshet_program("pipeline resume --reason 'mended' -w " + workspace_).code, 0);
}

TEST_F(RegistryCommands, APromotionByHandEndsTheEvaluationThatWasUnderWay) {
  bool promoted = false;
  for (const auto& version : registry("list --json").json()) {
    if (promoted || version["kind"] != "learner") continue;
    const std::string number = std::to_string(version["version"].get<int>());
    promoted = registry("promote " + number + " --reason 'we know better'").code == 0;
  }
  ASSERT_TRUE(promoted);
  const std::string chunks = scratch_.path("chunks");
  const std::string whole = scratch_.path("whole");
  for (const std::string& run : {"-w " + whole, "-w " + chunks + " --read-chunk 50"}) {
    const Outcome outcome = freshet_program("run --from-log " + workspace_ + " " + run);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  EXPECT_EQ(fingerprint_of(whole), fingerprint_of(chunks));
  EXPECT_EQ(fingerprint_of(whole), fingerprint_of(workspace_));
}

TEST_F(RegistryCommands, AReasonIsOneLineOfText) {
  EXPECT_EQ(registry("rollback --reason ' '").code, 1);
  EXPECT_THAT(registry("rollback --reason 'a\xff'").err, HasSubstr("invalid UTF-8"));
  EXPECT_EQ(registry("history --json").code, 0);
}

TEST(CommandLine, AMistypedCommandGetsASuggestion) {
  const Outcome outcome = freshet_program("rnu");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"run\"?"));
}

TEST(CommandLine, SoDoesOneOfTheSecondLevel) {
  const Outcome outcome = freshet_program("registry lst");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("\"registry lst\"; did you mean \"list\"?"));
}

TEST(CommandLine, SoDoesAMistypedOption) {
  const Outcome outcome = freshet_program("run --wrkspace X");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("freshet run has no option \"--wrkspace\"; did you mean "
                                     "\"--workspace\"?"));
  EXPECT_THAT(freshet_program("pipeline pause -w W --reasn=why").err,
              HasSubstr("freshet pipeline pause has no option \"--reasn\"; did you mean "
                        "\"--reason\"?"));
}

TEST(CommandLine, AVersionIsANumberFromOneOn) {
  for (const char* version : {"-1", "0", "1.5", "18446744073709551616", "first"}) {
    for (const char* command : {"promote", "approve", "show"}) {
      const Outcome outcome =
          freshet_program(fmt::format("registry {} {} -w none", command, version));
      EXPECT_EQ(outcome.code, 2) << command << ' ' << version;
      EXPECT_THAT(outcome.err, HasSubstr(fmt::format(
                                   "found {}, expected a version's number, from 1 on", version)));
    }
    EXPECT_THAT(freshet_program(fmt::format("backtest -w none --candidate={}", version)).err,
                HasSubstr("expected a version's number"));
  }
}

TEST(CommandLine, ALimitIsANumberFromOneOn) {
  for (const char* limit : {"-1", "0", "many"}) {
    for (const char* command : {"tail", "dead-letters"}) {
      const Outcome outcome =
          freshet_program(fmt::format("events {} -w none --limit={}", command, limit));
      EXPECT_EQ(outcome.code, 2) << command << ' ' << limit;
      EXPECT_THAT(outcome.err, HasSubstr(limit));
    }
  }
}

TEST(CommandLine, ASpeedIsANumberAboveZero) {
  for (const char* speed : {"nan", "inf", "-inf", "0", "-5", "1e999", "fast"}) {
    for (const char* command : {"serve -w none", "demo --exit -w none"}) {
      const Outcome outcome = freshet_program(fmt::format("{} --speed={}", command, speed));
      EXPECT_EQ(outcome.code, 2) << command << ' ' << speed;
      EXPECT_THAT(outcome.err, HasSubstr(fmt::format("found {}, expected so many a second: "
                                                     "a number above 0",
                                                     speed)));
    }
  }
}

TEST_F(RegistryCommands, RollbackWithoutAReasonIsRefused) {
  EXPECT_EQ(registry("rollback").code, 2);
}

TEST_F(RegistryCommands, PromoteOfAnUnknownVersionIsRefused) {
  const Outcome outcome = registry("promote 99 --reason 'why not'");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("version 99"));
}

TEST_F(RegistryCommands, ACandidateThatNeverServedIsNothingToRollBackTo) {
  for (const auto& version : registry("list --json").json()) {
    if (version["status"] != "rejected") continue;
    const std::string number = version["version"].dump();
    ASSERT_EQ(registry("show --json " + number).json()["revisions"].size(), 1U);
    const Outcome outcome = registry("rollback --reason 'why not' --to " + number);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("never served"));
    return;
  }
  FAIL() << "no candidate was rejected";
}

TEST_F(RegistryCommands, HistoryAtATimeSaysWhatWasLiveAndWhy) {
  const auto at = registry("history --at 2024-01-02T12:00:00Z --json");
  ASSERT_EQ(at.code, 0) << at.err;
  EXPECT_EQ(at.json()["kind"], "first_champion");
  EXPECT_EQ(registry("history --at 2023-01-01").code, 3);
  EXPECT_EQ(registry("history --at tuesday").code, 1);
}

TEST_F(RegistryCommands, VerifyFindsAFlippedByteAndARunFallsBack) {
  ASSERT_EQ(registry("verify").code, 0);
  const std::string champion = summary_["champion"]["sha256"];
  const std::string path = workspace_ + "/artifacts/" + champion;
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.put('\x55');
  }
  const Outcome verify = registry("verify");
  EXPECT_EQ(verify.code, 3);
  EXPECT_THAT(verify.out, HasSubstr(champion));
  const std::string before = live();
  const std::string more = scratch_.write("more.csv", joined(turning_csv(100), 0, 101));
  const Outcome run = freshet_program("run -w " + workspace_ + " -i " + more);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("quarantined"));
  EXPECT_NE(live(), before);
}

TEST_F(RegistryCommands, TrainingByHandIsADecisionOfTheOperator) {
  const Outcome train =
      freshet_program("pipeline train --reason 'new prices' --json -w " + workspace_);
  ASSERT_EQ(train.code, 0) << train.err;
  std::istringstream history(registry("history --json").out);
  nlohmann::json ordered;
  for (std::string line; std::getline(history, line);) {
    nlohmann::json decision = nlohmann::json::parse(line);
    if (decision["kind"] == "training_ordered") ordered = std::move(decision);
  }
  EXPECT_EQ(ordered.value("actor", ""), "operator");
  EXPECT_EQ(ordered.value("reason", ""), "new prices");
}

TEST_F(RegistryCommands, ACommandOutlivesADamagedCheckpoint) {
  ASSERT_EQ(freshet_program("pipeline pause --reason 'holidays' -w " + workspace_).code, 0);
  {
    SQLite::Database database(workspace_ + "/registry.db", SQLite::OPEN_READWRITE);
    database.exec(
        "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
        "max(number) FROM checkpoints)");
  }
  EXPECT_EQ(registry("verify").code, 3);
  const std::string more = scratch_.write("more.csv", joined(turning_csv(3000), 0, 3001));
  const Outcome run = freshet_program("run -w " + workspace_ + " -i " + more);
  ASSERT_EQ(run.code, 0) << run.err;
  const std::string history = registry("history").out;
  const std::size_t first = history.find("holidays");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(history.find("holidays", first + 1), std::string::npos) << "recorded once";
  ASSERT_EQ(freshet_program("pipeline resume --reason 'back' -w " + workspace_).code, 0);
}

TEST_F(RegistryCommands, ADamagedLogIsNamed) {
  const std::string path = workspace_ + "/pipelines/turning/log.db";
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    file << "damage damage damage";
  }
  const Outcome verify = registry("verify");
  EXPECT_EQ(verify.code, 3) << verify.out;
  EXPECT_THAT(verify.out, HasSubstr("log"));
}

TEST_F(RegistryCommands, ASecondOwnerIsRefused) {
  const std::string line = "flock " + workspace_ + "/lock";
  const Outcome outcome = freshet_program("run -w " + workspace_ + " -i " + csv_, line);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("owns this workspace"));
}

TEST_F(RegistryCommands, ApplyPrintsOneObjectWhereThatIsAsked) {
  std::string text = turning_config();
  text.replace(text.find("\"rows\": 4000"), 12, "\"rows\": 5000");
  const std::string line = "pipeline apply " + scratch_.write("changed.json", text) + " -w " +
                           workspace_ + " --reason calmer --json";
  const nlohmann::json applied = freshet_program(line).json();
  ASSERT_EQ(applied["differences"].size(), 1U);
  EXPECT_THAT(applied["differences"][0]["path"].get<std::string>(), HasSubstr("retrain.when"));
  EXPECT_EQ(applied["differences"][0]["means"], "policy");
  std::vector<std::string> kinds;
  for (const auto& decision : applied["decisions"]) kinds.push_back(decision["kind"]);
  EXPECT_THAT(kinds, Contains("policy"));
  const nlohmann::json again = freshet_program(line).json();
  EXPECT_EQ(again, nlohmann::json::parse(R"({"differences": [], "decisions": []})"));
}

TEST_F(RegistryCommands, AnotherConfigIsRefusedAndADifferentPolicyApplies) {
  std::string text = turning_config();
  text.replace(text.find("\"rows\": 4000"), 12, "\"rows\": 5000");
  const std::string changed = scratch_.write("changed.json", text);
  const Outcome refused = freshet_program("run " + changed + " -w " + workspace_ + " -i " + csv_);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("retrain.when"));
  EXPECT_THAT(refused.err, HasSubstr("pipeline apply"));
  const Outcome applied =
      freshet_program("pipeline apply " + changed + " -w " + workspace_ + " --reason 'calmer'");
  EXPECT_EQ(applied.code, 0) << applied.err;
  EXPECT_EQ(freshet_program("run " + changed + " -w " + workspace_ + " -i " + csv_).code, 0);
}

}  // namespace
}  // namespace freshet
