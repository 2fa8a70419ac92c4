#include "evaluator/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluator/blocks.h"
#include "evaluator/e_process.h"
#include "evaluator/power.h"
#include "evaluator/sentences.h"
#include "evaluator/series.h"

namespace freshet {

namespace {

constexpr std::size_t kCalibrationRows[] = {2000, 3200, 8000};
constexpr std::uint64_t kFirstRead = 5;  // blocks before the test is read
constexpr std::uint64_t kFutilityRows = 2000;
constexpr std::uint64_t kIntervalBlocks = 50;
constexpr double kPriorBlocks = 20;  // weight of the calibration variance
constexpr double kTuning = 40;       // rho^2 = 1 / (40 sigma^2)
constexpr double kTightest = 100;    // blocks at which the interval is tightest

bool is_regression(LossKind loss) {
  return loss == LossKind::absolute || loss == LossKind::squared;
}

}  // namespace

class Evaluation::Impl {
 public:
  Impl(const EvaluationPolicy& policy, std::uint64_t k, std::vector<PairedLoss> recorded)
      : policy_(policy), k_(k), calibration_(std::move(recorded)) {
    if (!calibration_.empty()) calibrate(true);
  }
  explicit Impl(Decoder& from) { load(from); }

  void add(const PairedLoss& loss) {
    if (concluded_) return;
    if (!calibrated_) {
      calibration_.push_back(loss);
      const bool full = std::find(std::begin(kCalibrationRows), std::end(kCalibrationRows),
                                  calibration_.size()) != std::end(kCalibrationRows);
      if (full) calibrate(calibration_.size() == kCalibrationRows[2]);
      return;
    }
    if (counted_ == 0) first_time_ = loss.time;
    last_time_ = std::max(last_time_, loss.time);
    ++counted_;
    champion_ += loss.champion;
    candidate_ += loss.candidate;
    const double champion = std::min(loss.champion, cap_);
    const double candidate = std::min(loss.candidate, cap_);
    champion_hits_ += loss.champion > cap_ ? 1 : 0;
    candidate_hits_ += loss.candidate > cap_ ? 1 : 0;
    block_sum_ += champion - candidate;
    if (++block_fill_ == blocks_of_.block_rows) close_block();
  }

  bool look_due() const {
    if (concluded_ || !calibrated_) return false;
    if (counted_ >= policy_.max_rows) return true;
    return blocks_ > looked_blocks_ && blocks_ >= kFirstRead && cycle_complete();
  }

  std::optional<Verdict> look(std::uint64_t promotions) {
    if (!look_due()) return std::nullopt;
    const bool at_cycle = cycle_complete();
    looked_blocks_ = blocks_;
    looked_cycles_ = cycles();
    const EvaluationFigures f = figures(promotions);
    std::optional<Verdict> verdict;
    if (at_cycle && blocks_ >= kFirstRead && !blocks_of_.unsteady) verdict = read(f);
    if (!verdict && counted_ >= policy_.max_rows) verdict = inconclusive(f);
    concluded_ = verdict.has_value();
    return verdict;
  }

  EvaluationFigures figures(std::uint64_t promotions) const {
    EvaluationFigures f;
    f.counted_rows = counted_;
    f.blocks = blocks_;
    f.block_rows = calibrated_ ? blocks_of_.block_rows : 0;
    f.inflation = blocks_of_.inflation;
    f.unsteady = blocks_of_.unsteady;
    f.test = test();
    f.log_threshold = log_elond_threshold(k_, promotions, policy_.alpha);
    if (counted_ > 0) {
      f.champion_loss = champion_ / static_cast<double>(counted_);
      f.candidate_loss = candidate_ / static_cast<double>(counted_);
    }
    if (blocks_ == 0) return f;
    const auto t = static_cast<double>(blocks_);
    f.mean_difference = sum_ / t;
    const double variance = long_run_variance();
    if (test() == TestKind::bounded) {
      f.log_evidence = better_.log_capital();
      f.log_evidence_against = worse_.log_capital();
    } else if (variance > 0) {
      const double rho_squared = 1 / (kTuning * variance);
      const double m = policy_.margin;
      f.log_evidence = log_normal_mixture(sum_ - t * m, t * variance, rho_squared);
      f.log_evidence_against = log_normal_mixture(-sum_ - t * m, t * variance, rho_squared);
    }
    if (blocks_ >= kIntervalBlocks) {
      const double half = sequence_half_width(std::sqrt(variance), t, policy_.alpha, kTightest);
      f.interval_low = f.mean_difference - half;
      f.interval_high = f.mean_difference + half;
    }
    const double row_variance = variance * blocks_of_.block_rows;
    const double rows = rows_to_verdict(row_variance, f.log_threshold, f.mean_difference,
                                        policy_.margin, blocks_of_.block_rows);
    if (std::isfinite(rows) && rows < 1e15) f.rows_to_verdict = static_cast<std::uint64_t>(rows);
    return f;
  }

  void save(Encoder& to) const {
    to.put(policy_.loss).put(policy_.test).put(policy_.margin).put(policy_.alpha);
    to.put(policy_.clip).put(policy_.cycle).put(policy_.max_rows).put(k_);
    to.put(static_cast<std::uint8_t>(calibrated_)).put(static_cast<std::uint8_t>(concluded_));
    to.put(static_cast<std::uint64_t>(calibrated_ ? 0 : calibration_.size()));
    for (std::size_t i = 0; !calibrated_ && i < calibration_.size(); ++i) {
      const PairedLoss& loss = calibration_[i];
      to.put(loss.question).put(loss.time).put(loss.champion).put(loss.candidate);
      to.put(static_cast<std::uint8_t>(loss.minority));
    }
    to.put(blocks_of_.block_rows).put(blocks_of_.inflation).put(blocks_of_.variance);
    to.put(static_cast<std::uint8_t>(blocks_of_.rare));
    to.put(static_cast<std::uint8_t>(blocks_of_.unsteady));
    to.put(cap_).put(counted_).put(champion_).put(candidate_).put(champion_hits_);
    to.put(candidate_hits_).put(block_sum_).put(block_fill_).put(blocks_).put(sum_);
    to.put(squares_).put(first_time_).put(last_time_).put(looked_blocks_).put(looked_cycles_);
    better_.save(to);
    worse_.save(to);
    series_.save(to);
  }

  const EvaluationPolicy& policy() const { return policy_; }
  std::uint64_t k() const { return k_; }
  const std::vector<SeriesPoint>& series() const { return series_.points(); }

 private:
  TestKind test() const { return blocks_of_.rare ? TestKind::bounded : policy_.test; }

  void calibrate(bool last) {
    if (is_regression(policy_.loss)) choose_cap();
    std::vector<double> differences;
    double minority = 0;
    for (const PairedLoss& loss : calibration_) {
      differences.push_back(std::min(loss.champion, cap_) - std::min(loss.candidate, cap_));
      minority += loss.minority ? 1 : 0;
    }
    const double share =
        is_regression(policy_.loss) ? -1 : minority / static_cast<double>(calibration_.size());
    blocks_of_ = choose_blocks(differences, share);
    // A larger calibration makes longer blocks eligible.
    if (!blocks_of_.eligible && !last) return;
    const double reach = loss_bound() + policy_.margin;
    better_ = BettingGrid(reach);
    worse_ = BettingGrid(reach);
    calibrated_ = true;
    calibration_ = {};
    if (blocks_of_.block_rows == 0) {
      blocks_of_.block_rows = 500;  // too few rows for any choice
      blocks_of_.unsteady = true;
    }
  }

  void choose_cap() {
    double sum = 0;
    double squares = 0;
    for (const PairedLoss& loss : calibration_) sum += loss.champion;
    const double mean = sum / static_cast<double>(calibration_.size());
    for (const PairedLoss& loss : calibration_) {
      squares += (loss.champion - mean) * (loss.champion - mean);
    }
    cap_ = mean + 6 * std::sqrt(squares / static_cast<double>(calibration_.size()));
  }

  double loss_bound() const {
    if (policy_.loss == LossKind::log_loss) return std::log((1 - policy_.clip) / policy_.clip);
    return is_regression(policy_.loss) ? std::max(cap_, 1e-12) : 1;
  }

  void close_block() {
    const double mean = block_sum_ / blocks_of_.block_rows;
    block_sum_ = 0;
    block_fill_ = 0;
    ++blocks_;
    sum_ += mean;
    squares_ += mean * mean;
    if (test() == TestKind::bounded) {
      better_.add(mean - policy_.margin);
      worse_.add(-mean - policy_.margin);
    }
    if (series_.due(blocks_)) add_point();
  }

  void add_point() {
    const EvaluationFigures f = figures(0);
    series_.add({counted_, last_time_, f.mean_difference, f.interval_low, f.interval_high,
                 f.log_evidence, f.log_threshold});
  }

  /// sigma^2_t of a block mean: inflation (20 v + t var) / (20 + t).
  double long_run_variance() const {
    const auto t = static_cast<double>(blocks_);
    const double scatter = std::max(0.0, squares_ - sum_ * sum_ / t);
    return blocks_of_.inflation * (kPriorBlocks * blocks_of_.variance + scatter) /
           (kPriorBlocks + t);
  }

  std::uint64_t cycles() const {
    if (policy_.cycle == 0 || counted_ == 0) return 0;
    return static_cast<std::uint64_t>((last_time_ - first_time_) / policy_.cycle);
  }
  bool cycle_complete() const { return policy_.cycle == 0 || cycles() > looked_cycles_; }

  std::optional<Verdict> read(const EvaluationFigures& f) const {
    if (f.log_evidence >= f.log_threshold) return promote(f);
    if (f.log_evidence_against >= f.log_threshold) {
      return Verdict{
          VerdictKind::reject, "worse",
          fmt::format("Reject: {} higher by {:.4f}{} after {} rows.", loss_in_words(policy_.loss),
                      -f.mean_difference, interval_text(f, -1), counted_)};
    }
    if (counted_ >= kFutilityRows && cannot_win(f)) {
      return Verdict{VerdictKind::reject, "cannot_win",
                     fmt::format("Reject: after {} rows the {} differs by {:.4f}, too little to be "
                                 "shown better than a margin of {} within {} rows.",
                                 counted_, loss_in_words(policy_.loss), f.mean_difference,
                                 policy_.margin, policy_.max_rows)};
    }
    return std::nullopt;
  }

  Verdict promote(const EvaluationFigures& f) const {
    if (is_regression(policy_.loss)) {
      const bool worse = candidate_ > champion_;
      if (worse || candidate_hits_ > champion_hits_) {
        return {VerdictKind::reject, "vetoed",
                fmt::format("Reject: the {} is lower by {:.4f} after {} rows, but {}.",
                            loss_in_words(policy_.loss), f.mean_difference, counted_,
                            worse ? "the uncapped mean is worse"
                                  : "it misses by more than the cap more often")};
      }
    }
    return {VerdictKind::promote, "better",
            fmt::format("Promote: {} lower by {:.4f}{} after {} rows ({} test).",
                        loss_in_words(policy_.loss), f.mean_difference, interval_text(f, 1),
                        counted_, test() == TestKind::mixture ? "asymptotic mixture" : "bounded")};
  }

  /// A stop for futility needs no alpha: it can only lose promotions.
  bool cannot_win(const EvaluationFigures& f) const {
    const auto t = static_cast<double>(blocks_);
    const double n =
        static_cast<double>(policy_.max_rows) / static_cast<double>(blocks_of_.block_rows);
    if (t >= n) return false;
    const double deviation = std::sqrt(long_run_variance());
    return f.mean_difference + 1.645 * deviation * std::sqrt(1 / t - 1 / n) <
           policy_.margin + deviation * std::sqrt(2 * (f.log_threshold + 1) / n);
  }

  Verdict inconclusive(const EvaluationFigures& f) const {
    if (f.unsteady) return unsteady(policy_.loss, f);
    return {
        VerdictKind::inconclusive, "max_rows",
        fmt::format("Inconclusive: {} lower by {:.4f}{} after {} rows, as many as allowed.",
                    loss_in_words(policy_.loss), f.mean_difference, interval_text(f, 1), counted_)};
  }

  void load(Decoder& from) {
    policy_.loss = from.get<LossKind>();
    policy_.test = from.get<TestKind>();
    policy_.margin = from.get<double>();
    policy_.alpha = from.get<double>();
    policy_.clip = from.get<double>();
    policy_.cycle = from.get<Millis>();
    policy_.max_rows = from.get<std::uint64_t>();
    k_ = from.get<std::uint64_t>();
    calibrated_ = from.get<std::uint8_t>() != 0;
    concluded_ = from.get<std::uint8_t>() != 0;
    for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
      PairedLoss loss;
      loss.question = from.get<std::uint64_t>();
      loss.time = from.get<Millis>();
      loss.champion = from.get<double>();
      loss.candidate = from.get<double>();
      loss.minority = from.get<std::uint8_t>() != 0;
      calibration_.push_back(loss);
    }
    blocks_of_.block_rows = from.get<std::uint32_t>();
    blocks_of_.inflation = from.get<double>();
    blocks_of_.variance = from.get<double>();
    blocks_of_.rare = from.get<std::uint8_t>() != 0;
    blocks_of_.unsteady = from.get<std::uint8_t>() != 0;
    cap_ = from.get<double>();
    counted_ = from.get<std::uint64_t>();
    champion_ = from.get<double>();
    candidate_ = from.get<double>();
    champion_hits_ = from.get<std::uint64_t>();
    candidate_hits_ = from.get<std::uint64_t>();
    block_sum_ = from.get<double>();
    block_fill_ = from.get<std::uint32_t>();
    blocks_ = from.get<std::uint64_t>();
    sum_ = from.get<double>();
    squares_ = from.get<double>();
    first_time_ = from.get<Millis>();
    last_time_ = from.get<Millis>();
    looked_blocks_ = from.get<std::uint64_t>();
    looked_cycles_ = from.get<std::uint64_t>();
    better_.load(from);
    worse_.load(from);
    series_.load(from);
  }

  EvaluationPolicy policy_;
  std::uint64_t k_ = 1;
  std::vector<PairedLoss> calibration_;  // until calibrated
  bool calibrated_ = false;
  bool concluded_ = false;
  BlockChoice blocks_of_;
  double cap_ = std::numeric_limits<double>::infinity();  // regression
  std::uint64_t counted_ = 0;
  double champion_ = 0;  // sums of uncapped losses
  double candidate_ = 0;
  std::uint64_t champion_hits_ = 0;  // losses above the cap
  std::uint64_t candidate_hits_ = 0;
  double block_sum_ = 0;
  std::uint32_t block_fill_ = 0;
  std::uint64_t blocks_ = 0;
  double sum_ = 0;  // of block means
  double squares_ = 0;
  Millis first_time_ = 0;
  Millis last_time_ = std::numeric_limits<Millis>::min();
  std::uint64_t looked_blocks_ = 0;
  std::uint64_t looked_cycles_ = 0;
  BettingGrid better_{1};
  BettingGrid worse_{1};
  Series series_;
};

Evaluation::Evaluation(const EvaluationPolicy& policy, std::uint64_t k,
                       std::vector<PairedLoss> recorded)
    : impl_(std::make_unique<Impl>(policy, k, std::move(recorded))) {}
Evaluation::Evaluation(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Evaluation::~Evaluation() = default;
Evaluation::Evaluation(Evaluation&&) noexcept = default;
Evaluation& Evaluation::operator=(Evaluation&&) noexcept = default;

void Evaluation::add(const PairedLoss& loss) { impl_->add(loss); }
bool Evaluation::look_due() const { return impl_->look_due(); }
std::optional<Verdict> Evaluation::look(std::uint64_t promotions) {
  return impl_->look(promotions);
}
EvaluationFigures Evaluation::figures(std::uint64_t promotions) const {
  return impl_->figures(promotions);
}
const std::vector<SeriesPoint>& Evaluation::series() const { return impl_->series(); }
const EvaluationPolicy& Evaluation::policy() const { return impl_->policy(); }
std::uint64_t Evaluation::k() const { return impl_->k(); }
void Evaluation::save(Encoder& to) const { impl_->save(to); }
Evaluation Evaluation::load(Decoder& from) { return Evaluation(std::make_unique<Impl>(from)); }

}  // namespace freshet
