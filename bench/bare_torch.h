#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace freshet {

/// The same network and training as plain LibTorch code writes them: what every speed is measured
/// against. A binary MLP of torch::nn::Linear and ReLU, torch::optim::Adam, autograd, one thread.
/// Used by one thread.
class BareTorch {
 public:
  BareTorch(std::size_t inputs, std::span<const std::uint32_t> hidden, double learning_rate);
  ~BareTorch();

  /// One pass over `n` rows that are scaled already, one optimizer step a batch.
  void train(const float* rows, const float* labels, std::size_t n, std::size_t batch);

  /// Probabilities of 1 of `n` rows, `batch` at a time.
  void forward(const float* rows, std::size_t n, std::size_t batch, float* answers);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
