#include "evaluator/blocks.h"

#include <algorithm>
#include <array>
#include <vector>

namespace freshet {

namespace {

constexpr std::array<std::uint32_t, 4> kLengths = {50, 100, 200, 500};
constexpr std::array<std::size_t, 3> kGroups = {2, 4, 8};
constexpr std::size_t kLeastGroups = 8;
constexpr double kMostInflation = 2;
constexpr double kLeastMinority = 0.4;

std::vector<double> means_of(std::span<const double> values, std::size_t length) {
  std::vector<double> means;
  for (std::size_t begin = 0; begin + length <= values.size(); begin += length) {
    double sum = 0;
    for (const double value : values.subspan(begin, length)) sum += value;
    means.push_back(sum / static_cast<double>(length));
  }
  return means;
}

double variance_of(std::span<const double> values) {
  double mean = 0;
  for (const double value : values) mean += value;
  mean /= static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares / static_cast<double>(values.size() - 1);
}

/// False when no group size has enough groups.
bool measure(std::span<const double> differences, std::uint32_t length, BlockChoice& choice) {
  const std::vector<double> means = means_of(differences, length);
  if (means.size() < kGroups.front() * kLeastGroups) return false;
  choice.block_rows = length;
  choice.variance = variance_of(means);
  choice.inflation = 0;
  for (const std::size_t group : kGroups) {
    const std::vector<double> grouped = means_of(means, group);
    if (grouped.size() < kLeastGroups) continue;
    const double ratio = choice.variance > 0
                             ? static_cast<double>(group) * variance_of(grouped) / choice.variance
                             : 1;
    choice.inflation = std::max(choice.inflation, ratio);
  }
  return true;
}

}  // namespace

BlockChoice choose_blocks(std::span<const double> differences, double minority_share) {
  BlockChoice steady;  // the smallest with inflation <= 2, rare minority or not
  BlockChoice last;
  for (const std::uint32_t length : kLengths) {
    BlockChoice choice;
    if (!measure(differences, length, choice)) continue;
    last = choice;
    if (choice.inflation > kMostInflation) continue;
    if (minority_share < 0 || length * minority_share >= kLeastMinority) {
      choice.eligible = true;
      return choice;
    }
    if (steady.block_rows == 0) steady = choice;
  }
  if (steady.block_rows != 0) {
    steady.rare = true;
    return steady;
  }
  last.unsteady = true;
  return last;
}

}  // namespace freshet
