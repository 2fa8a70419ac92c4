#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trainer/recipe.h"

namespace freshet {

/// Rows of the speed benchmarks: 32 numbers of mean 0 and variance 1, and a binary label that a
/// network can learn from them.
struct PlantedRows {
  static constexpr std::size_t kWidth = 32;

  PlantedRows(std::uint64_t seed, std::size_t n);

  std::size_t size() const { return labels.size(); }
  std::vector<float> vectors;  ///< rows x kWidth
  std::vector<float> labels;
};

/// The model that all speeds are measured with: an MLP 32-64-64-1, Adam at .001, one step a batch,
/// no replay.
ModelSpec bench_spec();
Recipe bench_recipe(std::uint32_t batch);

}  // namespace freshet
