#include "evaluator/rank_window.h"

#include <algorithm>
#include <cmath>

namespace freshet {

void RankWindow::add(float score, bool positive) {
  filling_.push_back({score, positive ? 1U : 0U});
  if (filling_.size() < kRun) return;
  std::sort(filling_.begin(), filling_.end());
  runs_.push_back(std::move(filling_));
  filling_.clear();
  filling_.reserve(kRun);
  if (runs_.size() * kRun > capacity_) runs_.pop_front();
}

std::vector<RankWindow::Scored> RankWindow::sorted() const {
  std::vector<Scored> all(filling_);
  for (const auto& run : runs_) all.insert(all.end(), run.begin(), run.end());
  std::sort(all.begin(), all.end());
  return all;
}

void RankWindow::save(Encoder& to) const {
  to.put(static_cast<std::uint64_t>(runs_.size()));
  const auto put = [&](const std::vector<Scored>& run) {
    std::vector<float> scores;
    std::vector<std::uint8_t> labels;
    for (const Scored& row : run) {
      scores.push_back(row.score);
      labels.push_back(static_cast<std::uint8_t>(row.positive));
    }
    to.put(scores).put(labels);
  };
  for (const auto& run : runs_) put(run);
  put(filling_);
}

void RankWindow::load(Decoder& from) {
  const auto get = [&] {
    const auto scores = from.vector<float>();
    const auto labels = from.vector<std::uint8_t>();
    std::vector<Scored> run;
    for (std::size_t i = 0; i < scores.size() && i < labels.size(); ++i) {
      run.push_back({scores[i], labels[i]});
    }
    return run;
  };
  runs_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) runs_.push_back(get());
  filling_ = get();
}

namespace {

/// Calls `each(begin, end, positives)` for every stretch of equal scores, ascending.
template <class Each>
void each_tie(const std::vector<RankWindow::Scored>& rows, const Each& each) {
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin;
    std::uint64_t positives = 0;
    while (end < rows.size() && rows[end].score == rows[begin].score) {
      positives += rows[end++].positive;
    }
    each(begin, end, positives);
    begin = end;
  }
}

}  // namespace

double auc(const std::vector<RankWindow::Scored>& ascending) {
  std::uint64_t twice_u = 0;
  std::uint64_t negatives = 0;
  std::uint64_t positives = 0;
  each_tie(ascending, [&](std::size_t begin, std::size_t end, std::uint64_t tied_positives) {
    const std::uint64_t tied_negatives = end - begin - tied_positives;
    twice_u += tied_positives * (2 * negatives + tied_negatives);
    negatives += tied_negatives;
    positives += tied_positives;
  });
  if (negatives == 0 || positives == 0) return -1;
  return static_cast<double>(twice_u) /
         (2.0 * static_cast<double>(negatives) * static_cast<double>(positives));
}

double average_precision(const std::vector<RankWindow::Scored>& ascending) {
  std::uint64_t total = 0;
  for (const auto& row : ascending) total += row.positive;
  if (total == 0) return -1;
  std::uint64_t below = 0;  // positives in lower ties
  double sum = 0;
  each_tie(ascending, [&](std::size_t begin, std::size_t, std::uint64_t positives) {
    const auto found = static_cast<double>(total - below);
    const auto asked = static_cast<double>(ascending.size() - begin);
    sum += static_cast<double>(positives) * found / asked;
    below += positives;
  });
  return sum / static_cast<double>(total);
}

double calibration_error(const std::vector<RankWindow::Scored>& ascending, std::size_t bins) {
  const std::size_t n = ascending.size();
  double error = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    double scores = 0;
    double positives = 0;
    for (std::size_t i = n * bin / bins; i < n * (bin + 1) / bins; ++i) {
      scores += static_cast<double>(ascending[i].score);
      positives += ascending[i].positive;
    }
    error += std::abs(scores - positives);
  }
  return error / static_cast<double>(n);
}

}  // namespace freshet
