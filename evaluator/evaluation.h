#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/codec.h"
#include "stream/event_time.h"

namespace freshet {

enum class TestKind { mixture, bounded };

/// Which loss the paired test is on. log_loss is clipped at `clip`, zero_one is 0/1 accuracy loss,
/// absolute and squared are capped (regression).
enum class LossKind { log_loss, zero_one, absolute, squared };

/// The `evaluate` and `promote` figures that one evaluation needs; fixed when it starts.
struct EvaluationPolicy {
  LossKind loss = LossKind::log_loss;
  TestKind test = TestKind::mixture;
  double margin = 0;  ///< m: the difference in mean loss to beat
  double alpha = 0.05;
  double clip = 0.01;              ///< probabilities are clipped to [clip, 1 - clip]
  Millis cycle = 0;                ///< looks happen at whole cycles since the first counted row
  std::uint64_t max_rows = 20000;  ///< counted rows

  bool operator==(const EvaluationPolicy&) const = default;
};

/// One settled row as the paired test sees it. Losses are already clipped (probabilities); the
/// regression cap is applied inside.
struct PairedLoss {
  std::uint64_t question = 0;
  Millis time = 0;
  double champion = 0;  ///< loss of the answer as served
  double candidate = 0;
  bool minority = false;  ///< binary: the label is 1; multiclass: not the majority; else false
};

enum class VerdictKind { promote, reject, inconclusive };

struct Verdict {
  VerdictKind kind = VerdictKind::inconclusive;
  std::string reason;  ///< one word: better, worse, cannot_win, max_rows, unsteady, superseded, …
  std::string sentence;  ///< for people: "Promote: log-loss lower by 0.012, between …"
};

/// What an evaluation shows at any time; the receipt's and the chart's figures.
struct EvaluationFigures {
  std::uint64_t counted_rows = 0;
  std::uint64_t blocks = 0;
  std::uint32_t block_rows = 0;  ///< b; 0 while calibrating
  double inflation = 0;
  bool unsteady = false;       ///< no block size fits: no verdict but inconclusive
  double mean_difference = 0;  ///< mean of champion loss - candidate loss (not minus margin)
  double champion_loss = 0;
  double candidate_loss = 0;
  double log_evidence = 0;             ///< ln E or ln K
  double log_evidence_against = 0;     ///< the mirrored test's
  double log_threshold = 0;            ///< ln(k(k+1)(R+1)/alpha)
  std::optional<double> interval_low;  ///< asymptotic confidence sequence, from 50 blocks on
  std::optional<double> interval_high;
  std::uint64_t rows_to_verdict = 0;  ///< expected for an effect of the size seen; 0 unknown
  TestKind test = TestKind::mixture;  ///< in use (bounded where mixture is not eligible)
};

/// A point of the series for a chart, one at most every few blocks.
struct SeriesPoint {
  std::uint64_t counted_rows = 0;
  Millis time = 0;
  double mean_difference = 0;
  std::optional<double> interval_low;
  std::optional<double> interval_high;
  double log_evidence = 0;
  double log_threshold = 0;
};

/// One comparison of a candidate with the champion's answers as served: calibration, blocks, the
/// e-process, its mirror, the futility rule, and the verdict (STATISTICS parts 1 and 2). Knows
/// nothing of where losses come from.
///
///   Evaluation e(policy, k, recorded);      // recorded: up to 10,000 settled rows before the
///   start for each settled row that counts, in asked order: e.add(loss); at each tick, after its
///   rows:  if (auto verdict = e.look(promotions)) …
///
/// `k`: how many evaluations the pipeline had started, this one included (e-LOND).
/// With `recorded` empty (a frozen candidate) the first 2,000 added rows calibrate and don't
/// count; more (3,200, 8,000) until some block size is eligible.
/// `look` reads the test only once a new block (and, with a cycle, a whole cycle since the first
/// counted row) has been completed since the last look. After a verdict nothing is added.
/// Deterministic; used by one thread.
class Evaluation {
 public:
  Evaluation(const EvaluationPolicy& policy, std::uint64_t k, std::vector<PairedLoss> recorded);
  ~Evaluation();
  Evaluation(Evaluation&&) noexcept;
  Evaluation& operator=(Evaluation&&) noexcept;

  void add(const PairedLoss& loss);
  /// True when a block (and cycle) is complete that no look has read yet.
  bool look_due() const;
  std::optional<Verdict> look(std::uint64_t promotions);

  EvaluationFigures figures(std::uint64_t promotions) const;
  const std::vector<SeriesPoint>& series() const;
  const EvaluationPolicy& policy() const;
  std::uint64_t k() const;

  void save(Encoder& to) const;
  static Evaluation load(Decoder& from);

 private:
  class Impl;
  explicit Evaluation(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
