#include "evaluator/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "evaluator/rank_window.h"

namespace freshet {

namespace {

std::size_t answered_class(Task task, std::span<const float> answer) {
  if (task == Task::binary) return answer[0] >= 0.5F ? 1 : 0;
  return static_cast<std::size_t>(std::max_element(answer.begin(), answer.end()) - answer.begin());
}

/// A sum that carries the low bits it would lose (Neumaier 1974).
class CompensatedSum {
 public:
  void add(double value) {
    const double sum = sum_ + value;
    carry_ += std::abs(sum_) >= std::abs(value) ? (sum_ - sum) + value : (value - sum) + sum_;
    sum_ = sum;
  }
  double value() const { return sum_ + carry_; }
  void save(Encoder& to) const { to.put(sum_).put(carry_); }
  void load(Decoder& from) {
    sum_ = from.get<double>();
    carry_ = from.get<double>();
  }

 private:
  double sum_ = 0;
  double carry_ = 0;
};

}  // namespace

double log_loss(Task task, std::span<const float> answer, double label, double clip) {
  double p = 0;
  if (task == Task::binary) {
    const auto one = static_cast<double>(answer[0]);
    p = label == 1 ? one : 1 - one;
  } else {
    p = static_cast<double>(answer[static_cast<std::size_t>(label)]);
  }
  return -std::log(std::clamp(p, clip, 1 - clip));
}

double zero_one_loss(Task task, std::span<const float> answer, double label) {
  return static_cast<double>(answered_class(task, answer)) == label ? 0 : 1;
}

double absolute_loss(double answer, double label) { return std::abs(answer - label); }
double squared_loss(double answer, double label) { return (answer - label) * (answer - label); }

class Metrics::Impl {
 public:
  Impl(Task task, std::size_t outputs, double clip, bool ranks)
      : task_(task),
        classes_(task == Task::regression ? 0
                 : task == Task::binary   ? 2
                                          : outputs),
        clip_(clip),
        ranks_(ranks && task == Task::binary),
        confusion_(classes_ * classes_, 0),
        window_(kRankWindow) {}

  void add(std::span<const float> answer, double label) {
    ++rows_;
    if (task_ == Task::regression) {
      const double error = static_cast<double>(answer[0]) - label;
      first_.add(std::abs(error));
      second_.add(error * error);
      labels_.add(label);
      squared_labels_.add(label * label);
      return;
    }
    first_.add(log_loss(task_, answer, label, clip_));
    second_.add(brier(answer, label));
    const auto actual = static_cast<std::size_t>(label);
    ++confusion_[actual * classes_ + answered_class(task_, answer)];
    if (ranks_) window_.add(answer[0], label == 1);
  }

  std::uint64_t rows() const { return rows_; }
  double mean_loss() const { return rows_ == 0 ? 0 : first_.value() / static_cast<double>(rows_); }

  std::vector<Metric> values() const {
    if (rows_ == 0) return {};
    return task_ == Task::regression ? regression_values() : class_values();
  }

  void save(Encoder& to) const {
    to.put(rows_);
    first_.save(to);
    second_.save(to);
    labels_.save(to);
    squared_labels_.save(to);
    to.put(confusion_);
    window_.save(to);
  }

  void load(Decoder& from) {
    rows_ = from.get<std::uint64_t>();
    first_.load(from);
    second_.load(from);
    labels_.load(from);
    squared_labels_.load(from);
    confusion_ = from.vector<std::uint64_t>();
    window_.load(from);
  }

 private:
  double brier(std::span<const float> answer, double label) const {
    if (task_ == Task::binary) return squared_loss(static_cast<double>(answer[0]), label);
    double sum = 0;
    for (std::size_t j = 0; j < answer.size(); ++j) {
      sum += squared_loss(static_cast<double>(answer[j]), static_cast<double>(j) == label ? 1 : 0);
    }
    return sum;
  }

  std::vector<Metric> regression_values() const {
    const auto n = static_cast<double>(rows_);
    std::vector<Metric> values = {{"mae", first_.value() / n},
                                  {"rmse", std::sqrt(second_.value() / n)}};
    const double spread = squared_labels_.value() - labels_.value() * labels_.value() / n;
    if (spread > 0) values.push_back({"r2", 1 - second_.value() / spread});
    return values;
  }

  std::uint64_t cell(std::size_t actual, std::size_t answered) const {
    return confusion_[actual * classes_ + answered];
  }

  /// 2 TP / (2 TP + FP + FN); 0 where the class neither occurs nor is answered.
  double f1(std::size_t label) const {
    std::uint64_t actual = 0;
    std::uint64_t answered = 0;
    for (std::size_t i = 0; i < classes_; ++i) {
      actual += cell(label, i);
      answered += cell(i, label);
    }
    if (actual + answered == 0) return 0;
    return 2.0 * static_cast<double>(cell(label, label)) / static_cast<double>(actual + answered);
  }

  std::vector<Metric> class_values() const {
    const auto n = static_cast<double>(rows_);
    double right = 0;
    double chance = 0;
    double macro = 0;
    for (std::size_t label = 0; label < classes_; ++label) {
      double actual = 0;
      double answered = 0;
      for (std::size_t i = 0; i < classes_; ++i) {
        actual += static_cast<double>(cell(label, i));
        answered += static_cast<double>(cell(i, label));
      }
      right += static_cast<double>(cell(label, label));
      chance += actual * answered / (n * n);
      macro += f1(label) / static_cast<double>(classes_);
    }
    const double accuracy = right / n;
    std::vector<Metric> values = {
        {"log_loss", first_.value() / n}, {"brier", second_.value() / n}, {"accuracy", accuracy}};
    if (chance < 1) values.push_back({"kappa", (accuracy - chance) / (1 - chance)});
    if (task_ == Task::multiclass) {
      values.push_back({"macro_f1", macro});
      return values;
    }
    values.push_back({"f1", f1(1)});
    if (!ranks_) return values;
    const auto ascending = window_.sorted();
    const double area = auc(ascending);
    if (area >= 0) {
      values.push_back({"auc", area});
      values.push_back({"pr_auc", average_precision(ascending)});
    }
    values.push_back({"ece", calibration_error(ascending)});
    return values;
  }

  const Task task_;
  const std::size_t classes_;
  const double clip_;
  const bool ranks_;
  std::uint64_t rows_ = 0;
  CompensatedSum first_;   // log-loss, or absolute error
  CompensatedSum second_;  // Brier score, or squared error
  CompensatedSum labels_;
  CompensatedSum squared_labels_;
  std::vector<std::uint64_t> confusion_;  // [actual][answered]
  RankWindow window_;
};

Metrics::Metrics(Task task, std::size_t outputs, double clip, bool ranks)
    : impl_(std::make_unique<Impl>(task, outputs, clip, ranks)) {}
Metrics::~Metrics() = default;
Metrics::Metrics(Metrics&&) noexcept = default;
Metrics& Metrics::operator=(Metrics&&) noexcept = default;

void Metrics::add(std::span<const float> answer, double label) { impl_->add(answer, label); }
std::uint64_t Metrics::rows() const { return impl_->rows(); }
double Metrics::mean_loss() const { return impl_->mean_loss(); }
std::vector<Metric> Metrics::values() const { return impl_->values(); }
void Metrics::save(Encoder& to) const { impl_->save(to); }
void Metrics::load(Decoder& from) { impl_->load(from); }

}  // namespace freshet
