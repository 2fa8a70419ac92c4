#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainer/recipe.h"

namespace freshet {

/// The one thing LibTorch does: forward, loss, backward and optimizer step of one network on one
/// batch. Its bits repeat on one build and ISA profile. Used by one thread at a time.
class TrainStep {
 public:
  virtual ~TrainStep() = default;

  /// One optimizer step; returns the batch's mean loss before it (NaN or infinity as it comes).
  /// `inputs`: n vectors of the layout's width: dense slots scaled, no NaN; embedding slots bucket
  /// numbers. `targets`: n labels (class index, or the standardised value).
  virtual double step(const float* inputs, const float* targets, std::size_t n) = 0;

  virtual void read_parameters(std::span<float> out) const = 0;
  virtual void write_parameters(std::span<const float> in) = 0;

  /// Moments and step count, as floats and bits: what save/restore needs to go on bit for bit.
  virtual std::string optimizer_state() const = 0;
  virtual void restore_optimizer(const std::string& state) = 0;
};

/// The module that includes LibTorch, loaded with dlopen when something first trains (loading
/// takes 0.5 to 0.8 s). Thread-safe.
class TorchModule {
 public:
  virtual ~TorchModule() = default;

  /// A network with freshly drawn weights (keyed by `seed`) and a fresh optimizer.
  virtual std::unique_ptr<TrainStep> make(const ModelSpec& spec, const Recipe& recipe,
                                          std::uint64_t seed) const = 0;
  virtual std::string torch_version() const = 0;

  /// Sets the determinism profile's environment (RELIABILITY: threads 1, OpenBLAS core type, ATen
  /// CPU capability), then loads the module, once. Throws Error{unavailable} naming the path
  /// tried.
  static const TorchModule& load();
};

/// The profile's name, e.g. "avx2/Haswell": part of lineage. Does not load torch.
std::string isa_profile();

}  // namespace freshet
