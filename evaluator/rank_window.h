#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stream/codec.h"

namespace freshet {

/// Scores and 0/1 labels of the newest rows, for the metrics that depend on ranks. 5 bytes a row;
/// sorted only when asked for: a sort costs what adding the rows did. Used by one thread.
class RankWindow {
 public:
  struct Scored {
    float score = 0;
    std::uint32_t positive = 0;

    bool operator<(const Scored& other) const { return score < other.score; }
  };

  explicit RankWindow(std::size_t capacity) : capacity_(capacity) {}

  void add(float score, bool positive);

  /// All rows by score, ascending; equal scores in any order.
  std::vector<Scored> sorted() const;

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  std::size_t capacity_;
  std::vector<float> scores_;  ///< a ring, once it is full
  std::vector<std::uint8_t> positive_;
  std::size_t oldest_ = 0;  ///< where the ring begins
};

/// Area under the ROC curve: the share of (positive, negative) pairs ranked right, ties half;
/// exact in integers (twice the Mann-Whitney U). Negative without both classes.
double auc(const std::vector<RankWindow::Scored>& ascending);
/// Average precision: precision at each positive, from the highest score down; equal scores count
/// as one threshold.
double average_precision(const std::vector<RankWindow::Scored>& ascending);
/// Expected calibration error over `bins` bins of equal mass.
double calibration_error(const std::vector<RankWindow::Scored>& ascending, std::size_t bins = 15);

}  // namespace freshet
