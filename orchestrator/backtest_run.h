#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "evaluator/backtest.h"
#include "orchestrator/answer_sources.h"
#include "orchestrator/asked_order.h"
#include "orchestrator/config.h"
#include "orchestrator/settled_rows.h"
#include "orchestrator/workspace.h"
#include "registry/backtest_store.h"

namespace freshet {

/// What is asked of a backtest. Rows are by number; without `end`, up to the newest and on with new
/// ones when asked again; without `begin`, from the first that both may honestly answer.
struct BacktestRequest {
  std::uint64_t candidate = 0;
  std::uint64_t champion = 0;
  std::optional<std::uint64_t> begin;
  std::optional<std::uint64_t> end;
};

/// Two versions of a pipeline over its settled rows, in asked order, as an evaluation would have
/// compared them: a report, never a decision. The workspace is only read, perhaps beside its owner;
/// what came out is kept in the pipeline's `backtests.db`, and asking the same again goes on from
/// what was saved last, to the same bits.
///
///   BacktestRun run(workspace, pipeline, request);
///   while (run.advance()) { …run.save() now and then… }
///   run.save();  run.report()
///
/// A row counts only if both answers are honest (answer_sources.h): recorded when asked, or scored
/// by weights that knew nothing later than the question. Where a range begins after rows that both
/// had answered when asked, those calibrate the test; else its first rows do. Memory is bounded.
/// Used by one thread.
class BacktestRun {
 public:
  /// Throws Error{not_found} for a version that is not there or of which nothing is kept,
  /// Error{invalid} naming the first honest row for a range that starts below it, and for one that
  /// ends after the newest row.
  BacktestRun(Workspace& workspace, const std::string& pipeline, const BacktestRequest& request);

  /// Replays the next questions; false when there is nothing left to do.
  bool advance();
  /// Keeps what came out so far, durable on return.
  void save();

  /// How far it has come, in questions.
  std::uint64_t question() const { return question_; }
  std::uint64_t last_question() const { return settled_; }
  const Backtest& backtest() const { return *backtest_; }
  const std::string& id() const { return id_; }

  /// As the command prints it; canonical but for `resumed_from`, the rows that were replayed before
  /// this run (null: none).
  nlohmann::json report() const;

 private:
  struct Scorer {
    std::string artifact;
    std::shared_ptr<const Model> model;
    std::size_t column = 0;  ///< of the vectors that it answers
  };
  /// Settled rows with both sides' answers, from index `from` on.
  struct Answered {
    SettledRows rows;
    SettledRows::Answers candidate;
    SettledRows::Answers champion;
    std::size_t from = 0;

    PairedLoss pair(std::size_t i) const;
  };

  void check_version(std::uint64_t version) const;
  void choose_rows(const BacktestRequest& request);
  void begin();
  void resume(const BacktestRecord& kept);
  Backtest fresh(std::vector<PairedLoss> recorded);
  std::vector<PairedLoss> recorded_before();
  Answered read(const PairedStretch& stretch, const std::vector<SettledQuestion>& labeled);
  /// Where the next questions are; nullptr when there is nothing left to do.
  const PairedStretch* next_stretch() const;
  void replay(const PairedStretch& stretch, std::uint64_t begin, std::uint64_t end);
  const Model& model(const AnswerStretch& stretch, std::uint64_t version, Scorer& scorer);
  SettledRows::Answers answers(const AnswerStretch& stretch, std::uint64_t version,
                               SettledRows& rows, Scorer& scorer);
  std::string status() const;
  nlohmann::json kept_report() const;

  Workspace& workspace_;
  const std::string pipeline_;
  const BacktestRequest request_;
  const PipelineConfig config_;
  std::unique_ptr<RowStore> store_;
  std::unique_ptr<BacktestStore> kept_;
  std::string id_;
  std::string policy_hash_;
  std::uint64_t rows_begin_ = 0;
  std::uint64_t rows_end_ = 0;
  std::uint64_t settled_ = 0;  ///< questions below it have settled
  std::vector<PairedStretch> stretches_;
  std::optional<AskedOrder> order_;
  Scorer candidate_scorer_;
  Scorer champion_scorer_;

  // What is saved.
  std::uint64_t question_ = 0;          ///< next
  std::uint64_t calibration_rows_ = 0;  ///< recorded before the first row, for calibration
  std::array<std::uint64_t, kAnswerSources> candidate_answers_{};  ///< rows by their source
  std::array<std::uint64_t, kAnswerSources> champion_answers_{};
  std::optional<Backtest> backtest_;
  std::uint64_t resumed_rows_ = 0;
};

}  // namespace freshet
