#include "trainer/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "stream/random.h"

namespace freshet {
namespace {

ModelSpec spec_of(std::size_t dense, std::vector<std::uint32_t> hidden, Task task = Task::binary,
                  std::size_t outputs = 1) {
  ModelSpec spec;
  spec.task = task;
  spec.outputs = outputs;
  spec.network.hidden = std::move(hidden);
  for (std::size_t i = 0; i < dense; ++i) {
    FeatureSlot slot;
    slot.name = "x" + std::to_string(i);
    slot.scaled = i % 2 == 0;
    spec.layout.push_back(slot);
  }
  return spec;
}

ModelState random_state(const ModelSpec& spec, std::uint64_t seed) {
  KeyedGenerator generator(seed);
  ModelState state;
  state.parameters.resize(parameter_count(spec));
  for (float& p : state.parameters) p = static_cast<float>(generator.uniform() - 0.5);
  for (const FeatureSlot& slot : spec.layout) {
    if (slot.embedding) continue;
    state.scaler.count.push_back(100);
    state.scaler.mean.push_back(generator.uniform());
    state.scaler.m2.push_back(100 * (0.5 + generator.uniform()));
  }
  return state;
}

std::vector<float> random_vectors(const ModelSpec& spec, std::size_t n, std::uint64_t seed) {
  KeyedGenerator generator(seed);
  std::vector<float> vectors;
  for (std::size_t row = 0; row < n; ++row) {
    for (const FeatureSlot& slot : spec.layout) {
      const bool missing = !slot.embedding && generator.below(20) == 0;
      vectors.push_back(missing          ? std::nanf("")
                        : slot.embedding ? static_cast<float>(generator.below(slot.buckets))
                                         : static_cast<float>(4 * generator.uniform() - 2));
    }
  }
  return vectors;
}

/// The binary network in doubles, straight from its definition.
double naive(const ModelSpec& spec, const ModelState& state, const float* vector) {
  std::vector<double> x;
  std::size_t dense = 0;
  for (std::size_t i = 0; i < spec.layout.size() && !spec.layout[i].embedding; ++i, ++dense) {
    const double mean = state.scaler.mean[i];
    const double deviation = std::sqrt(state.scaler.m2[i] / state.scaler.count[i]);
    const auto raw = static_cast<double>(vector[i]);
    const bool missing = std::isnan(raw);
    x.push_back(spec.layout[i].scaled ? (missing ? 0 : (raw - mean) / deviation)
                                      : (missing ? mean : raw));
  }
  const auto shapes = parameter_shapes(spec);
  std::size_t next = 0;
  for (std::size_t i = dense; i < spec.layout.size(); ++i, ++next) {
    const auto bucket = static_cast<std::size_t>(vector[i]);
    for (std::size_t j = 0; j < shapes[next].cols; ++j) {
      x.push_back(static_cast<double>(
          state.parameters[shapes[next].offset + bucket * shapes[next].cols + j]));
    }
  }
  for (; next < shapes.size(); next += 2) {
    std::vector<double> y;
    for (std::size_t j = 0; j < shapes[next].cols; ++j) {
      auto sum = static_cast<double>(state.parameters[shapes[next + 1].offset + j]);
      for (std::size_t k = 0; k < x.size(); ++k) {
        sum += x[k] * static_cast<double>(
                          state.parameters[shapes[next].offset + k * shapes[next].cols + j]);
      }
      y.push_back(next + 2 < shapes.size() ? std::max(sum, 0.0) : sum);
    }
    x = y;
  }
  return 1 / (1 + std::exp(-x[0]));
}

TEST(Model, AnswersHaveTheSameBitsWhateverTheBatch) {
  for (const auto& spec : {spec_of(32, {64, 64}), spec_of(7, {33}), spec_of(3, {}),
                           spec_of(50, {128, 100}, Task::multiclass, 10)}) {
    const auto model = make_model(spec, random_state(spec, 1));
    constexpr std::size_t kRows = 600;
    const auto vectors = random_vectors(spec, kRows, 2);
    std::vector<float> whole(kRows * spec.outputs);
    model->predict(vectors.data(), kRows, whole.data());
    for (const std::size_t batch : {1, 2, 3, 5, 7, 17, 64, 100}) {
      std::vector<float> parts(whole.size());
      for (std::size_t begin = 0; begin < kRows; begin += batch) {
        model->predict(vectors.data() + begin * spec.layout.size(), std::min(batch, kRows - begin),
                       parts.data() + begin * spec.outputs);
      }
      EXPECT_EQ(std::memcmp(parts.data(), whole.data(), whole.size() * sizeof(float)), 0)
          << "batch " << batch;
    }
  }
}

TEST(Model, AnswersAreTheNetworksWithinRounding) {
  ModelSpec spec = spec_of(9, {20, 11});
  FeatureSlot embedding;
  embedding.embedding = true;
  embedding.buckets = 50;
  embedding.dim = 4;
  spec.layout.push_back(embedding);
  const ModelState state = random_state(spec, 3);
  const auto model = make_model(spec, state);
  const auto vectors = random_vectors(spec, 200, 4);
  std::vector<float> answers(200);
  model->predict(vectors.data(), 200, answers.data());
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_NEAR(static_cast<double>(answers[i]),
                naive(spec, state, vectors.data() + i * spec.layout.size()), 1e-5);
  }
}

TEST(Model, MulticlassAnswersAreProbabilities) {
  const ModelSpec spec = spec_of(5, {8}, Task::multiclass, 4);
  const auto model = make_model(spec, random_state(spec, 5));
  const auto vectors = random_vectors(spec, 50, 6);
  std::vector<float> answers(200);
  model->predict(vectors.data(), 50, answers.data());
  for (std::size_t i = 0; i < 50; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 4; ++j) sum += static_cast<double>(answers[i * 4 + j]);
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Model, AnswersAreFiniteHoweverLargeWeightsAndVectors) {
  for (const auto& [task, outputs] :
       {std::pair{Task::binary, 1}, {Task::multiclass, 3}, {Task::regression, 1}}) {
    const ModelSpec spec = spec_of(4, {8, 8}, task, static_cast<std::size_t>(outputs));
    ModelState state = random_state(spec, 9);
    for (float& p : state.parameters) p *= 1e30F;
    state.label_scale = 1e30;
    const auto model = make_model(spec, state);
    std::vector<float> vectors = random_vectors(spec, 50, 10);
    for (float& x : vectors) x *= 1e30F;
    std::vector<float> answers(50 * spec.outputs);
    model->predict(vectors.data(), 50, answers.data());
    for (const float answer : answers) ASSERT_TRUE(std::isfinite(answer)) << answer;
  }
}

TEST(Model, ABucketOutOfRangeIsRefused) {
  ModelSpec spec = spec_of(0, {4});
  FeatureSlot embedding;
  embedding.embedding = true;
  embedding.buckets = 3;
  embedding.dim = 2;
  spec.layout.push_back(embedding);
  const auto model = make_model(spec, random_state(spec, 7));
  const float vector = 3;
  float answer = 0;
  EXPECT_ANY_THROW(model->predict(&vector, 1, &answer));
}

TEST(Model, ParametersThatDoNotFitAreRefused) {
  const ModelSpec spec = spec_of(4, {4});
  ModelState state = random_state(spec, 8);
  state.parameters.pop_back();
  EXPECT_ANY_THROW(make_model(spec, state));
}

}  // namespace
}  // namespace freshet
