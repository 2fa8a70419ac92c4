#include "bench/planted_rows.h"

#include <fmt/format.h>

#include <cmath>

#include "stream/random.h"

namespace freshet {

PlantedRows::PlantedRows(std::uint64_t seed, std::size_t n) : vectors(n * kWidth), labels(n) {
  KeyedGenerator generator(seed);
  const double spread = std::sqrt(3.0);
  for (std::size_t row = 0; row < n; ++row) {
    float* vector = vectors.data() + row * kWidth;
    for (std::size_t i = 0; i < kWidth; ++i) {
      vector[i] = static_cast<float>((2 * generator.uniform() - 1) * spread);
    }
    const double z = static_cast<double>(vector[0] - vector[1] + vector[2] * vector[3]);
    labels[row] = generator.uniform() < 1 / (1 + std::exp(-z)) ? 1.0F : 0.0F;
  }
}

ModelSpec bench_spec() {
  ModelSpec spec;
  for (std::size_t i = 0; i < PlantedRows::kWidth; ++i) {
    FeatureSlot slot;
    slot.name = fmt::format("x{}", i);
    slot.scaled = true;
    spec.layout.push_back(slot);
  }
  return spec;
}

Recipe bench_recipe(std::uint32_t batch) {
  Recipe recipe;
  recipe.name = "steady";
  recipe.learning_rate = 0.001;
  recipe.batch = batch;
  return recipe;
}

}  // namespace freshet
