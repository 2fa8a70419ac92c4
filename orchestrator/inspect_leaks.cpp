#include "orchestrator/inspect_leaks.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace freshet {

double correlation(const InspectedField& a, const InspectedField& b) {
  const std::vector<double>& x = a.numbers();
  const std::vector<double>& y = b.numbers();
  double n = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) continue;
    // Welford's way: sums of squares of large numbers would cancel.
    n += 1;
    const double dx = x[i] - mean_x;
    const double dy = y[i] - mean_y;
    mean_x += dx / n;
    mean_y += dy / n;
    xx += dx * (x[i] - mean_x);
    yy += dy * (y[i] - mean_y);
    xy += dx * (y[i] - mean_y);
  }
  const double spread = std::sqrt(xx) * std::sqrt(yy);
  return n >= static_cast<double>(kLeakRecords) && spread > 0 ? xy / spread : 0;
}

bool sums_to(const InspectedField& a, const InspectedField& b, const InspectedField& label) {
  if (a.distinct().size() < 2 || b.distinct().size() < 2) return false;
  std::size_t records = 0;
  for (std::size_t i = 0; i < label.numbers().size(); ++i) {
    const double y = label.numbers()[i];
    if (std::isnan(y)) continue;
    const double sum = a.numbers()[i] + b.numbers()[i];
    if (!(std::abs(sum - y) <= 1e-9 * std::max(1.0, std::abs(y)))) return false;
    ++records;
  }
  return records >= kLeakRecords;
}

double separation(const InspectedField& field, const std::vector<double>& classes) {
  constexpr std::size_t kEachClass = 5;
  std::vector<std::pair<double, bool>> values;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (std::isnan(field.numbers()[i]) || std::isnan(classes[i])) continue;
    values.emplace_back(field.numbers()[i], classes[i] > 0);
  }
  std::sort(values.begin(), values.end());
  std::size_t ones = 0;
  double rank_sum = 0;
  for (std::size_t begin = 0; begin < values.size();) {
    std::size_t end = begin;
    std::size_t tied_ones = 0;
    while (end < values.size() && values[end].first == values[begin].first) {
      tied_ones += values[end++].second ? 1 : 0;
    }
    rank_sum += static_cast<double>(tied_ones) * static_cast<double>(begin + 1 + end) / 2;
    ones += tied_ones;
    begin = end;
  }
  const std::size_t zeros = values.size() - ones;
  if (std::min(ones, zeros) < kEachClass) return 0;
  const double p = static_cast<double>(ones);
  const double auc = (rank_sum - p * (p + 1) / 2) / (p * static_cast<double>(zeros));
  return std::max(auc, 1 - auc);
}

}  // namespace freshet
