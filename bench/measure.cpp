#include "bench/measure.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace freshet {

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  if (values.size() % 2 == 1) return values[half];
  return (values[half - 1] + values[half]) / 2;
}

}  // namespace

double seconds_of(const std::function<void()>& work) {
  const auto started = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

BenchResult interleave(std::string name, std::string unit, double amount, int rounds,
                       const std::function<double()>& subject_seconds,
                       const std::function<double()>& reference_seconds, std::string against) {
  std::vector<double> values;
  std::vector<double> references;
  std::vector<double> ratios;
  for (int round = 0; round <= rounds; ++round) {
    const double value = amount / subject_seconds();
    const double reference = amount / reference_seconds();
    if (round == 0) continue;
    values.push_back(value);
    references.push_back(reference);
    // A pair runs at the same speed of a machine that others share; medians taken apart may not.
    ratios.push_back(value / reference);
  }
  return {std::move(name),    median(values), std::move(unit),
          median(references), median(ratios), std::move(against)};
}

}  // namespace freshet
