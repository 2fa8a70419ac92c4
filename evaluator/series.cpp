#include "evaluator/series.h"

#include <utility>

namespace freshet {

namespace {

constexpr std::size_t kMaxPoints = 400;

}  // namespace

void Series::add(const SeriesPoint& point) {
  points_.push_back(point);
  if (points_.size() < kMaxPoints) return;
  std::vector<SeriesPoint> half;
  for (std::size_t i = 1; i < points_.size(); i += 2) half.push_back(points_[i]);
  points_ = std::move(half);
  every_ *= 2;
}

void Series::save(Encoder& to) const {
  to.put(every_).put(static_cast<std::uint64_t>(points_.size()));
  for (const SeriesPoint& p : points_) {
    to.put(p.counted_rows).put(p.time).put(p.mean_difference).put(p.log_evidence);
    to.put(p.log_threshold).put(static_cast<std::uint8_t>(p.interval_low.has_value()));
    to.put(p.interval_low.value_or(0)).put(p.interval_high.value_or(0));
  }
}

void Series::load(Decoder& from) {
  every_ = from.get<std::uint64_t>();
  points_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    SeriesPoint p;
    p.counted_rows = from.get<std::uint64_t>();
    p.time = from.get<Millis>();
    p.mean_difference = from.get<double>();
    p.log_evidence = from.get<double>();
    p.log_threshold = from.get<double>();
    const bool interval = from.get<std::uint8_t>() != 0;
    const auto low = from.get<double>();
    const auto high = from.get<double>();
    if (interval) {
      p.interval_low = low;
      p.interval_high = high;
    }
    points_.push_back(p);
  }
}

}  // namespace freshet
