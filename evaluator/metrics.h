#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stream/codec.h"
#include "stream/schema.h"

namespace freshet {

/// One figure by its name: log_loss, brier, accuracy, f1, auc, pr_auc, ece, kappa, macro_f1, mae,
/// rmse, r2. Probabilities are clipped to [clip, 1 - clip] in log_loss.
struct Metric {
  std::string name;
  double value = 0;
};

/// Losses of one answer. `answer` has answer_width values.
double log_loss(Task task, std::span<const float> answer, double label, double clip);
double zero_one_loss(Task task, std::span<const float> answer, double label);
double absolute_loss(double answer, double label);
double squared_loss(double answer, double label);

/// Streaming metrics of one answerer over settled rows in asked order. Compensated sums over all
/// rows; rank metrics (auc, pr_auc, ece) exactly over the newest kRankWindow rows, 8 bytes each,
/// from runs that are sorted a block at a time and merged when asked for. Used by one thread.
class Metrics {
 public:
  static constexpr std::size_t kRankWindow = 262'144;

  /// `ranks` off leaves the rank metrics out.
  Metrics(Task task, std::size_t outputs, double clip, bool ranks = true);
  ~Metrics();
  Metrics(Metrics&&) noexcept;
  Metrics& operator=(Metrics&&) noexcept;

  void add(std::span<const float> answer, double label);
  std::uint64_t rows() const;
  /// Mean log-loss or absolute error; 0 without rows.
  double mean_loss() const;
  /// All metrics of the task; those without enough rows (or classes) are left out.
  std::vector<Metric> values() const;

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What costs nothing to answer: the running prior (majority class, or mean) and the last label
/// known (no-change), scored on the same rows by the same metrics. `known` in row order moves the
/// baselines; `score` in asked order scores an answer captured with `answer` when asked.
class Baselines {
 public:
  Baselines(Task task, std::size_t outputs, double clip);
  ~Baselines();
  Baselines(Baselines&&) noexcept;

  void known(double label);
  /// What the baselines answer now: prior (outputs values: class frequencies, or the mean), then
  /// no_change (the last known label as a class index or value; 0 before any).
  void answer(std::span<float> prior, float& no_change) const;
  void score(std::span<const float> prior, float no_change, double label);

  const Metrics& prior() const;  ///< "majority" (its class) / "mean" in reports
  const Metrics& no_change() const;

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
