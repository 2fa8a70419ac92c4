// `freshet backtest` over what a run recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "orchestrator/backtest_run.h"
#include "orchestrator/command_support.h"
#include "scenario/program.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 12000;
constexpr std::size_t kUndecided = 5400;  // events after which version 3 is under evaluation

class BacktestCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = scratch_.write("config.json", turning_config());
    workspace_ = scratch_.path("w");
    run(0, kUndecided);
  }

  void run(std::size_t begin, std::size_t end) {
    const std::vector<std::string> lines = turning_csv(kEvents);
    const std::string csv = scratch_.write("events-" + std::to_string(end) + ".csv",
                                           lines[0] + "\n" + joined(lines, begin + 1, end + 1));
    const Outcome outcome = freshet_program("run " + config_ + " -w " + workspace_ + " -i " + csv);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  Outcome backtest(const std::string& arguments, const std::string& prefix = "") const {
    return freshet_program("backtest --json -w " + workspace_ + " " + arguments, prefix);
  }
  /// What comes of it in a copy of the workspace in which none was made before.
  json anew(const std::string& arguments) {
    const std::string copy = scratch_.path("copy");
    std::filesystem::remove_all(copy);
    std::filesystem::copy(workspace_, copy, std::filesystem::copy_options::recursive);
    for (const char* end : {"", "-wal", "-shm"}) {
      std::filesystem::remove(copy + "/pipelines/turning/backtests.db" + end);
    }
    json report = freshet_program("backtest --json -w " + copy + " " + arguments).json();
    EXPECT_TRUE(report["resumed_from"].is_null());
    return report;
  }
  static json without_resumed(json report) {
    report.erase("resumed_from");
    return report;
  }

  ScratchFolder scratch_;
  std::string config_;
  std::string workspace_;
};

TEST_F(BacktestCommand, SaysOfAFrozenCandidateWhatItsEvaluationSaid) {
  run(kUndecided, kEvents);
  const Workspace workspace = read_workspace(workspace_);
  std::size_t compared = 0;
  for (const EvaluationRecord& evaluation : workspace.registry().evaluations("turning")) {
    const Version version = workspace.registry().version("turning", evaluation.candidate);
    if (version.lineage.kind != "fresh" || evaluation.champion != 1 ||
        (evaluation.status != "reject" && evaluation.status != "promote")) {
      continue;
    }
    const Outcome outcome =
        backtest("--candidate " + std::to_string(version.number) + " --champion 1");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json report = outcome.json();
    EXPECT_EQ(report["verdict"], evaluation.status);
    EXPECT_EQ(report["reason"], evaluation.reason);
    EXPECT_EQ(report["k"], evaluation.number);
    EXPECT_EQ(report["rows"][0], version.lineage.rows_end);
    EXPECT_EQ(report["answers"]["candidate"]["scored"], report["replayed_rows"]);
    EXPECT_EQ(report["answers"]["champion"]["served"], report["replayed_rows"]);
    const json figures = json::parse(evaluation.figures);
    EXPECT_EQ(report["figures"]["block_rows"], figures["block_rows"]);
    EXPECT_EQ(report["figures"]["log_threshold"], figures["log_threshold"]);
    // The pipeline looks at ticks, the backtest at each block: the same bits up to there.
    const json series = json::parse(evaluation.series);
    ASSERT_GE(series.size(), report["series"].size());
    for (std::size_t i = 0; i < report["series"].size(); ++i) {
      for (const char* name : {"rows", "time", "mean_difference", "log_evidence"}) {
        EXPECT_EQ(report["series"][i][name], series[i][name]) << name << i;
      }
    }
    EXPECT_LT(figures["counted_rows"].get<int>() - report["counted_rows"].get<int>(), 2 * 64);
    ++compared;
  }
  EXPECT_GE(compared, 1U);
}

TEST_F(BacktestCommand, InterruptedAfterAnyStepComesToTheSameReport) {
  run(kUndecided, kEvents);
  const json whole = without_resumed(anew("--candidate 3 --champion 1"));
  Workspace workspace = read_workspace(workspace_);
  const BacktestRequest request{3, 1, std::nullopt, std::nullopt};
  std::size_t interruptions = 0;
  json last;
  for (bool more = true; more;) {
    BacktestRun run(workspace, "turning", request);
    more = run.advance();
    run.save();
    ++interruptions;
    last = without_resumed(run.report());
  }
  EXPECT_EQ(last.dump(), whole.dump());
  EXPECT_GE(interruptions, 4U);
}

TEST_F(BacktestCommand, KilledGoesOnFromWhatWasSavedLast) {
  run(kUndecided, kEvents);
  const json whole = without_resumed(anew("--candidate 3 --champion 1"));
  const auto die_halfway = [&] {
    Workspace workspace = read_workspace(workspace_);
    BacktestRun run(workspace, "turning", {3, 1, std::nullopt, std::nullopt});
    run.advance();
    run.advance();
    run.save();
    run.advance();  // lost
    ::raise(SIGKILL);
  };
  EXPECT_EXIT(die_halfway(), ::testing::KilledBySignal(SIGKILL), "");
  const json report = backtest("--candidate 3 --champion 1").json();
  EXPECT_GT(report["resumed_from"].get<int>(), 0);
  EXPECT_LT(report["resumed_from"], report["replayed_rows"]);
  EXPECT_EQ(without_resumed(report).dump(), whole.dump());
}

TEST_F(BacktestCommand, AnUndecidedOneGoesOnWithNewRows) {
  const json early = backtest("--candidate 3 --champion 1").json();
  ASSERT_EQ(early["verdict"], "undecided");
  EXPECT_EQ(early["reason"], "rows_ended");
  run(kUndecided, kEvents);
  const json late = backtest("--candidate 3 --champion 1").json();
  EXPECT_EQ(late["resumed_from"], early["replayed_rows"]);
  EXPECT_NE(late["verdict"], "undecided");
  EXPECT_EQ(without_resumed(late).dump(),
            without_resumed(anew("--candidate 3 --champion 1")).dump());
}

TEST_F(BacktestCommand, TheWorkspaceStaysAsItIsEvenBesideItsOwner) {
  const json before = fingerprint_of(workspace_);
  const Outcome outcome =
      backtest("--candidate 2 --champion 1 --rows 1000:5000", "flock " + workspace_ + "/lock");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = outcome.json();
  EXPECT_EQ(report["rows"], json({1000, 5000}));
  EXPECT_EQ(report["answers"]["candidate"]["recorded"], report["replayed_rows"]);
  EXPECT_TRUE(report["metrics"]["baselines"]["majority"].contains("accuracy"));
  EXPECT_TRUE(report["metrics"]["baselines"]["no_change"].contains("accuracy"));
  EXPECT_EQ(fingerprint_of(workspace_), before);
  const json kept = backtest("--list").json();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0]["id"], report["id"]);
  EXPECT_EQ(kept[0]["sentence"], report["sentence"]);
}

TEST_F(BacktestCommand, RowsThatBothAnsweredBeforeTheRangeCalibrate) {
  const json report = backtest("--candidate 2 --champion 1 --rows 2500:").json();
  EXPECT_EQ(report["counted_rows"], report["replayed_rows"]);
  EXPECT_EQ(report["calibration_rows"], 2500);
  const json few = backtest("--candidate 2 --champion 1 --rows 1500:").json();
  EXPECT_EQ(few["calibration_rows"], 2000) << "1,500 rows are too few";
  EXPECT_EQ(few["counted_rows"].get<int>() + 2000, few["replayed_rows"].get<int>());
}

TEST_F(BacktestCommand, WhatCannotBeAnsweredHonestlyIsRefused) {
  const Outcome seen = backtest("--candidate 3 --champion 1 --rows 100:4000");
  EXPECT_EQ(seen.code, 1);
  EXPECT_THAT(seen.err, HasSubstr("the first honest row is 3032"));
  const Outcome unknown = backtest("--candidate 99 --champion 1");
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no version 99; it has versions 1 to 3"));
  const Outcome same = backtest("--candidate 1 --champion 1");
  EXPECT_EQ(same.code, 1);
  const Outcome beyond = backtest("--candidate 3 --champion 1 --rows 4000:999999");
  EXPECT_EQ(beyond.code, 1);
  EXPECT_THAT(beyond.err, HasSubstr("rows as of the last checkpoint"));
  for (const char* rows : {"5", "b:a", "9:3", "1:2:3", "-1:5"}) {
    const Outcome bad = backtest(std::string("--candidate 3 --champion 1 --rows=") + rows);
    EXPECT_EQ(bad.code, 2) << rows;
    EXPECT_THAT(bad.err, HasSubstr("expected A:B")) << rows;
  }
  EXPECT_EQ(backtest("--candidate 3").code, 2);
}

}  // namespace
}  // namespace freshet
