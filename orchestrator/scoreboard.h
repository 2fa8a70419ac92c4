#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "evaluator/evaluation.h"
#include "evaluator/metrics.h"
#include "orchestrator/config.h"
#include "orchestrator/settled_rows.h"

namespace freshet {

/// Live figures over settled rows in asked order: the metrics of the answers as served with their
/// baselines, each learner's progressive metrics, and the losses of the newest 10,000 rows, which
/// calibrate evaluations and drive the brake. Used by the pipeline thread.
class Scoreboard {
 public:
  static constexpr std::size_t kRecorded = 10'000;
  static constexpr std::size_t kBrakeRows = 512;

  explicit Scoreboard(const PipelineConfig& config);

  /// A label became known, in row order: the baselines may use it from the next question on.
  void known(double label) { baselines_->known(label); }
  /// What the baselines answer now: answer width + 1 values, as in kBaselineSeries.
  void baseline_answer(std::span<float> out) const;

  /// Records the rows' losses at once; their metrics, which no decision needs, at `catch_up`.
  void add(SettledRows rows);
  void catch_up();

  std::uint64_t settled_rows() const { return settled_rows_; }
  const Metrics& live() const { return live_; }
  const Baselines& baselines() const { return *baselines_; }
  /// A learner's progressive metrics; made at its first row.
  const std::map<std::uint64_t, Metrics>& learners() const { return learners_; }
  void forget(std::uint64_t version);

  /// Losses of the answers as served against a learner's, newest 10,000 rows that have both.
  std::vector<PairedLoss> recorded(std::uint64_t version) const;

  /// The rows recorded, oldest first; the pair has no candidate's loss.
  std::size_t recorded_size() const { return recorded_.size(); }
  PairedLoss recorded_pair(std::size_t i) const;
  double recorded_label(std::size_t i) const { return recorded_[slot(i)].label; }

  /// Mean loss of a learner and of the prior over the newest `rows` recorded rows; nullopt where
  /// the learner has not answered them all.
  struct Standing {
    double learner = 0;
    double prior = 0;
  };
  std::optional<Standing> standing(std::uint64_t version, std::size_t rows) const;

  /// Whether the learner's progressive loss over the last 512 settled rows is worse than the
  /// answers as served by more than two standard errors. False with fewer rows.
  struct Brake {
    bool hold = false;
    double mean_difference = 0;  ///< learner - served
    double standard_error = 0;
  };
  Brake brake(std::uint64_t version) const;

  /// The config has changed in place: metrics go on under the new one.
  void config_changed();

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  struct Recorded {
    std::uint64_t question = 0;
    Millis time = 0;
    double served = 0;  ///< loss of the answer as served; NaN: none
    double label = 0;
    double prior = 0;  ///< loss of the prior
    bool minority = false;
  };
  /// Where the i-th oldest recorded row is.
  std::size_t slot(std::size_t i) const { return (oldest_ + i) % kRecorded; }
  const std::vector<double>* losses(std::uint64_t version) const;

  void add_metrics(const SettledRows& rows);

  const PipelineConfig& config_;
  std::vector<SettledRows> waiting_;  ///< recorded, their metrics not added yet
  std::uint64_t settled_rows_ = 0;
  Metrics live_;
  std::optional<Baselines> baselines_;  ///< always there; made anew when the config changes
  std::map<std::uint64_t, Metrics> learners_;
  std::vector<Recorded> recorded_;  ///< a ring of kRecorded, once it is full
  std::size_t oldest_ = 0;
  std::map<std::uint64_t, std::vector<double>> losses_;  ///< by version and place; NaN: no answer
};

}  // namespace freshet
