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
  const std::size_t n = shift_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const float z = (raw[i] - shift_[i]) * factor_[i];
    const float present = raw[i] != raw[i] ? missing_[i] : z;
    const float high = present > limit_[i] ? limit_[i] : present;
    out[i] = high < -limit_[i] ? -limit_[i] : high;
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
