#pragma once

#include <vector>

#include "trainer/model.h"

namespace freshet {

/// Turns raw feature vectors into a network's inputs, the same way for training and for answers:
/// scaled slots become (x - mean) / deviation, clamped to +-10 so that one outlier can't upset the
/// weights; missing values become the mean; constant slots become 0. Thread-safe once made.
class InputScaling {
 public:
  /// `scaler` has one entry for each dense slot of `layout`.
  InputScaling(const FeatureLayout& layout, const ScalerState& scaler);

  std::size_t dense() const { return shift_.size(); }
  /// `raw` and `out`: the dense slots of one vector.
  void apply(const float* raw, float* out) const;

 private:
  std::vector<float> shift_;
  std::vector<float> factor_;
  std::vector<float> missing_;
  std::vector<float> limit_;
};

/// Adds the dense slots of `n` raw vectors (row-major, `width` floats each) to a scaler, in order.
void update_scaler(ScalerState& scaler, const float* vectors, std::size_t n, std::size_t width);

/// A scaler that has seen nothing.
ScalerState empty_scaler(const FeatureLayout& layout);

}  // namespace freshet
