#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainer/recipe.h"

namespace freshet {

/// Running mean and variance of each dense slot, as a learner has seen them (Welford).
struct ScalerState {
  std::vector<double> count;  ///< values present, per dense slot
  std::vector<double> mean;
  std::vector<double> m2;  ///< sum of squared deviations

  bool operator==(const ScalerState&) const = default;
};

/// All that a model's answers depend on.
struct ModelState {
  std::vector<float> parameters;  ///< flat, canonical order (parameter_shapes)
  ScalerState scaler;
  double label_mean = 0;  ///< regression: answers are label_mean + label_scale * output
  double label_scale = 1;

  bool operator==(const ModelState&) const = default;
};

/// Answers questions from their feature vectors. Answers are batch-invariant: a vector's answer
/// has the same bits whatever it is scored with. Thread-safe: all functions may be called at once.
class Model {
 public:
  virtual ~Model() = default;

  /// Values in one answer.
  virtual std::size_t outputs() const = 0;

  /// `vectors`: n rows of the layout's width, raw (unscaled, NaN where missing), row-major.
  /// `answers`: n rows of outputs(): binary the probability of 1, multiclass the probabilities of
  /// the classes, regression the value. Always finite, however large the weights and vectors.
  virtual void predict(const float* vectors, std::size_t n, float* answers) const = 0;
};

/// The built-in networks, scored in a fixed order of additions by SIMD kernels.
std::shared_ptr<const Model> make_model(const ModelSpec& spec, const ModelState& state);

}  // namespace freshet
