#include "trainer/input_scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace freshet {

InputScaling::InputScaling(const FeatureLayout& layout, const ScalerState& scaler) {
  for (std::size_t i = 0; i < layout.size() && !layout[i].embedding; ++i) {
    const double count = scaler.count[i];
    const double deviation = count > 1 ? std::sqrt(scaler.m2[i] / count) : 0;
    const bool constant = deviation <= 1e-9 * (std::abs(scaler.mean[i]) + 1e-9);
    const bool scaled = layout[i].scaled;
    shift_.push_back(scaled ? static_cast<float>(scaler.mean[i]) : 0.0F);
    factor_.push_back(!scaled ? 1.0F : constant ? 0.0F : static_cast<float>(1 / deviation));
    missing_.push_back(scaled ? 0.0F : static_cast<float>(scaler.mean[i]));
    limit_.push_back(scaled ? 10.0F : std::numeric_limits<float>::max());
  }
}

void InputScaling::apply(const float* raw, float* out) const {
  // Without an overlap to fear, the compiler takes several slots at once.
  const float* __restrict from = raw;
  const float* __restrict shift = shift_.data();
  const float* __restrict factor = factor_.data();
  const float* __restrict missing = missing_.data();
  const float* __restrict limit = limit_.data();
  float* __restrict to = out;
  const std::size_t n = shift_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const float x = from[i];
    const float mean = missing[i];
    const float most = limit[i];
    const float z = (x - shift[i]) * factor[i];
    const float present = x == x ? z : mean;
    const float high = present < most ? present : most;
    to[i] = high > -most ? high : -most;
  }
}

// Chan et al.'s pairwise update, a batch at a time: two passes over the batch, no division a value.
void update_scaler(ScalerState& scaler, const float* vectors, std::size_t n, std::size_t width) {
  const std::size_t dense = scaler.count.size();
  std::vector<double> count(dense, 0.0);
  std::vector<double> sum(dense, 0.0);
  std::vector<double> squares(dense, 0.0);
  for (std::size_t row = 0; row < n; ++row) {
    const float* x = vectors + row * width;
    for (std::size_t i = 0; i < dense; ++i) {
      const bool present = x[i] == x[i];
      count[i] += present ? 1.0 : 0.0;
      sum[i] += present ? static_cast<double>(x[i]) : 0.0;
    }
  }
  for (std::size_t i = 0; i < dense; ++i) sum[i] = count[i] > 0 ? sum[i] / count[i] : 0.0;
  for (std::size_t row = 0; row < n; ++row) {
    const float* x = vectors + row * width;
    for (std::size_t i = 0; i < dense; ++i) {
      const double d = x[i] == x[i] ? static_cast<double>(x[i]) - sum[i] : 0.0;
      squares[i] += d * d;
    }
  }
  for (std::size_t i = 0; i < dense; ++i) {
    if (count[i] == 0) continue;
    const double total = scaler.count[i] + count[i];
    const double delta = sum[i] - scaler.mean[i];
    scaler.mean[i] += delta * count[i] / total;
    scaler.m2[i] += squares[i] + delta * delta * scaler.count[i] * count[i] / total;
    scaler.count[i] = total;
  }
}

ScalerState empty_scaler(const FeatureLayout& layout) {
  const auto dense = static_cast<std::size_t>(std::count_if(
      layout.begin(), layout.end(), [](const FeatureSlot& slot) { return !slot.embedding; }));
  return {std::vector<double>(dense, 0.0), std::vector<double>(dense, 0.0),
          std::vector<double>(dense, 0.0)};
}

}  // namespace freshet
