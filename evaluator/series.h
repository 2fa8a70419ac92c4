#pragma once

#include <cstdint>
#include <vector>

#include "evaluator/evaluation.h"

namespace freshet {

/// An evaluation's series for a chart: a point every so many blocks, at most 400; when they are
/// reached every other one goes, and half as many come. Used by one thread.
class Series {
 public:
  /// Whether the block just completed, the `blocks`-th, is due for a point.
  bool due(std::uint64_t blocks) const { return blocks % every_ == 0; }
  void add(const SeriesPoint& point);
  const std::vector<SeriesPoint>& points() const { return points_; }

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  std::uint64_t every_ = 1;  ///< blocks a point
  std::vector<SeriesPoint> points_;
};

}  // namespace freshet
