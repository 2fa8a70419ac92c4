#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "evaluator/evaluation.h"
#include "evaluator/metrics.h"
#include "stream/codec.h"
#include "stream/schema.h"

namespace freshet {

/// One settled row with what each side answered when it was asked, or honestly could have.
struct AnsweredRow {
  PairedLoss loss;
  double label = 0;
  std::span<const float> candidate;  ///< answer width
  std::span<const float> champion;
  std::span<const float> baseline;  ///< prior (answer width), then no-change
};

/// An evaluation that starts in the past: two answerers' metrics beside the baselines', and the
/// paired test, row by row until the test decides. Knows nothing of where answers come from.
///
///   Backtest backtest(task, outputs, policy, k, promotions, recorded);
///   for each settled row that counts, in asked order, while (!backtest.verdict())
///     backtest.add(row);
///
/// The test is looked at as soon as a look is due (Evaluation), so nothing depends on how rows come
/// in. It is calibrated on `recorded` losses from before the first row; without them the first
/// 2,000 rows (or more) calibrate it and don't count. `save` and `load` at any row go on to the
/// same bits. Used by one thread.
class Backtest {
 public:
  /// `k` and `promotions` set the threshold (e-LOND).
  Backtest(Task task, std::size_t outputs, const EvaluationPolicy& policy, std::uint64_t k,
           std::uint64_t promotions, std::vector<PairedLoss> recorded = {});

  /// After a verdict nothing is added.
  void add(const AnsweredRow& row);

  /// The test's; nullopt while it is open.
  const std::optional<Verdict>& verdict() const { return verdict_; }
  /// The test's, or what to say if there are no more rows.
  Verdict conclusion() const;

  std::uint64_t rows() const { return candidate_.rows(); }  ///< added, those that calibrate too
  EvaluationFigures figures() const { return evaluation_.figures(promotions_); }
  const Evaluation& evaluation() const { return evaluation_; }
  std::uint64_t promotions() const { return promotions_; }
  const Metrics& candidate() const { return candidate_; }
  const Metrics& champion() const { return champion_; }
  const Baselines& baselines() const { return baselines_; }

  void save(Encoder& to) const;
  /// Into one made for the same task and outputs.
  void load(Decoder& from);

 private:
  std::uint64_t promotions_;
  Evaluation evaluation_;
  std::optional<Verdict> verdict_;
  Metrics candidate_;
  Metrics champion_;
  Baselines baselines_;
};

}  // namespace freshet
