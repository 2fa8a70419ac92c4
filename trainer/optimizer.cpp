#include "trainer/optimizer.h"

#include <cmath>

#include "stream/codec.h"

namespace freshet {

Optimizer::Optimizer(const Recipe& recipe, std::size_t parameters)
    : kind_(recipe.optimizer),
      learning_rate_(static_cast<float>(recipe.learning_rate)),
      weight_decay_(static_cast<float>(recipe.weight_decay)),
      momentum_(static_cast<float>(recipe.momentum)) {
  if (kind_ != OptimizerKind::sgd || recipe.momentum != 0) first_.assign(parameters, 0.0F);
  if (kind_ != OptimizerKind::sgd) second_.assign(parameters, 0.0F);
}

void Optimizer::step(std::span<float> parameters, std::span<const float> gradients) {
  ++steps_;
  if (kind_ == OptimizerKind::sgd) {
    step_sgd(parameters, gradients);
  } else {
    step_adam(parameters, gradients);
  }
}

void Optimizer::step_sgd(std::span<float> parameters, std::span<const float> gradients) {
  const std::size_t n = parameters.size();
  float* p = parameters.data();
  const float* g = gradients.data();
  if (first_.empty()) {
    for (std::size_t i = 0; i < n; ++i) p[i] -= learning_rate_ * (g[i] + weight_decay_ * p[i]);
    return;
  }
  float* m = first_.data();
  for (std::size_t i = 0; i < n; ++i) {
    m[i] = momentum_ * m[i] + (g[i] + weight_decay_ * p[i]);
    p[i] -= learning_rate_ * m[i];
  }
}

void Optimizer::step_adam(std::span<float> parameters, std::span<const float> gradients) {
  constexpr float kBeta1 = 0.9F;
  constexpr float kBeta2 = 0.999F;
  // Rounded once, as LibTorch does: 1 - 0.999F would be off by 5e-5.
  constexpr auto kRest1 = static_cast<float>(1 - 0.9);
  constexpr auto kRest2 = static_cast<float>(1 - 0.999);
  constexpr float kEpsilon = 1e-8F;
  const auto t = static_cast<double>(steps_);
  const auto rate = static_cast<double>(learning_rate_);
  const auto step_size = static_cast<float>(rate / (1 - std::pow(0.9, t)));
  const auto root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)));
  const bool decoupled = kind_ == OptimizerKind::adamw;
  const auto shrink =
      decoupled ? static_cast<float>(1 - rate * static_cast<double>(weight_decay_)) : 1.0F;
  const float decay = decoupled ? 0.0F : weight_decay_;
  const std::size_t n = parameters.size();
  float* __restrict p = parameters.data();
  const float* __restrict gradient = gradients.data();
  float* __restrict m = first_.data();
  float* __restrict v = second_.data();
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] + decay * p[i];
    m[i] = kBeta1 * m[i] + kRest1 * g;
    v[i] = kBeta2 * v[i] + kRest2 * g * g;
    p[i] = shrink * p[i] - step_size * m[i] / (std::sqrt(v[i]) * root_correction + kEpsilon);
  }
}

std::string Optimizer::state() const {
  Encoder to;
  to.put(steps_).put(first_).put(second_);
  return to.take();
}

void Optimizer::restore(const std::string& state) {
  Decoder from(state);
  steps_ = from.get<std::uint64_t>();
  first_ = from.vector<float>();
  second_ = from.vector<float>();
}

}  // namespace freshet
