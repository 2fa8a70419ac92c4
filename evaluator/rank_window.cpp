#include "evaluator/rank_window.h"

#include <algorithm>
#include <cmath>

namespace freshet {

void RankWindow::add(float score, bool positive) {
  if (scores_.size() < capacity_) {
    scores_.push_back(score);
    positive_.push_back(positive ? 1 : 0);
    return;
  }
  scores_[oldest_] = score;
  positive_[oldest_] = positive ? 1 : 0;
  oldest_ = (oldest_ + 1) % capacity_;
}

std::vector<RankWindow::Scored> RankWindow::sorted() const {
  std::vector<Scored> all(scores_.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {scores_[i], positive_[i]};
  std::sort(all.begin(), all.end());
  return all;
}

void RankWindow::save(Encoder& to) const {
  to.put(static_cast<std::uint64_t>(oldest_)).put(scores_).put(positive_);
}

void RankWindow::load(Decoder& from) {
  oldest_ = from.get<std::uint64_t>();
  scores_ = from.vector<float>();
  positive_ = from.vector<std::uint8_t>();
  if (scores_.size() != positive_.size() || (oldest_ > 0 && oldest_ >= scores_.size())) {
    throw Error(ErrorKind::corrupt, "a saved window of scores and labels does not fit together");
  }
}

namespace {

/// Calls `each(begin, end, positives)` for every stretch of equal scores, ascending.
template <class Each>
void each_tie(const std::vector<RankWindow::Scored>& rows, const Each& each) {
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin;
    std::uint64_t positives = 0;
    do {
      positives += rows[end++].positive;
    } while (end < rows.size() && rows[end].score == rows[begin].score);
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
