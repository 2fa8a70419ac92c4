#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/recipe.h"

namespace freshet {

/// Applies gradients to flat parameters: SGD with momentum, Adam (Kingma & Ba 2015) or AdamW
/// (Loshchilov & Hutter 2019) in one pass over memory, with the formulas and defaults of LibTorch's
/// optimizers (beta .9 and .999, epsilon 1e-8). Used by one thread.
class Optimizer {
 public:
  Optimizer(const Recipe& recipe, std::size_t parameters);

  void step(std::span<float> parameters, std::span<const float> gradients);

  std::string state() const;
  void restore(const std::string& state);

 private:
  void step_sgd(std::span<float> parameters, std::span<const float> gradients);
  void step_adam(std::span<float> parameters, std::span<const float> gradients);

  const OptimizerKind kind_;
  const float learning_rate_;
  const float weight_decay_;
  const float momentum_;
  std::uint64_t steps_ = 0;
  std::vector<float> first_;   ///< momentum, or mean of gradients
  std::vector<float> second_;  ///< adam: mean of squared gradients
};

}  // namespace freshet
