#pragma once

#include <cstdint>
#include <deque>
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
  void known(double label) { baselines_.known(label); }
  /// What the baselines answer now: answer width + 1 values, as in kBaselineSeries.
  void baseline_answer(std::span<float> out) const;

  /// Records the rows' losses at once; their metrics, which no decision needs, at `catch_up`.
  void add(SettledRows rows);
  void catch_up();

  std::uint64_t settled_rows() const { return settled_rows_; }
  const Metrics& live() const { return live_; }
  const Baselines& baselines() const { return baselines_; }
  /// A learner's progressive metrics; made at its first row.
  const std::map<std::uint64_t, Metrics>& learners() const { return learners_; }
  void forget(std::uint64_t version);

  /// Losses of the answers as served against a learner's, newest 10,000 rows that have both.
  std::vector<PairedLoss> recorded(std::uint64_t version) const;

  /// The rows recorded, oldest first.
  std::size_t recorded_size() const { return ring_.size(); }
  const PairedLoss& recorded_pair(std::size_t i) const { return ring_[i].pair; }
  double recorded_label(std::size_t i) const { return ring_[i].label; }

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

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  struct Entry {
    PairedLoss pair;
    bool served = false;
    double label = 0;
    double prior = 0;
    std::vector<std::pair<std::uint64_t, double>> learners;
  };
  static const double* find(const Entry& entry, std::uint64_t version);

  void add_metrics(const SettledRows& rows);

  const PipelineConfig& config_;
  std::vector<SettledRows> waiting_;  ///< recorded, their metrics not added yet
  std::uint64_t settled_rows_ = 0;
  Metrics live_;
  Baselines baselines_;
  std::map<std::uint64_t, Metrics> learners_;
  std::deque<Entry> ring_;
};

}  // namespace freshet
