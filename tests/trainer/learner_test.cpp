#include "trainer/learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "stream/random.h"
#include "trainer/optimizer.h"

namespace freshet {
namespace {

constexpr std::size_t kWidth = 3;

ModelSpec spec_of(Task task = Task::binary, std::size_t outputs = 1) {
  ModelSpec spec;
  spec.task = task;
  spec.outputs = outputs;
  spec.network.hidden = {16};
  for (std::size_t i = 0; i < kWidth; ++i) {
    FeatureSlot slot;
    slot.name = "x" + std::to_string(i);
    slot.scaled = true;
    spec.layout.push_back(slot);
  }
  return spec;
}

Recipe recipe_of() {
  Recipe recipe;
  recipe.name = "test";
  recipe.network.hidden = {16};
  recipe.learning_rate = 0.01;
  recipe.batch = 16;
  recipe.steps = 2;
  recipe.replay = ReplayKind::recent;
  recipe.replay_capacity = 100;
  recipe.replay_share = 0.5;
  return recipe;
}

/// Row n of a stream whose label is a function of its vector.
std::array<float, kWidth> vector_of(std::uint64_t n) {
  KeyedGenerator generator(9, n);
  std::array<float, kWidth> vector{};
  for (float& x : vector) x = static_cast<float>(10 * generator.uniform() - 5);
  return vector;
}

float label_of(Task task, std::uint64_t n) {
  const auto x = vector_of(n);
  if (task == Task::regression) return 100 + 10 * x[0] - 5 * std::abs(x[1]);
  if (task == Task::multiclass) return x[0] > 1 ? 2.0F : x[1] > 0 ? 1.0F : 0.0F;
  return x[0] * x[1] > 0 ? 1.0F : 0.0F;
}

void teach(Learner& learner, std::uint64_t end) {
  while (learner.next_row() < end) {
    const std::uint64_t row = learner.next_row();
    learner.learn(vector_of(row).data(), label_of(learner.spec().task, row));
  }
}

void read_rows(Task task, std::uint64_t begin, std::uint64_t end, float* vectors, float* labels) {
  for (std::uint64_t row = begin; row < end; ++row) {
    const auto vector = vector_of(row);
    vectors = std::copy(vector.begin(), vector.end(), vectors);
    *labels++ = label_of(task, row);
  }
}

RowReader reader(Task task) {
  return [task](std::uint64_t begin, std::uint64_t end, float* vectors, float* labels) {
    read_rows(task, begin, end, vectors, labels);
  };
}

/// Share of right answers, or mean absolute error, over rows it has not learned.
double error_of(Learner& learner) {
  double error = 0;
  const Task task = learner.spec().task;
  for (std::uint64_t row = 1'000'000; row < 1'001'000; ++row) {
    std::vector<float> answer(learner.spec().outputs);
    learner.model()->predict(vector_of(row).data(), 1, answer.data());
    const float label = label_of(task, row);
    if (task == Task::regression) {
      error += std::abs(static_cast<double>(answer[0] - label));
    } else if (task == Task::multiclass) {
      const auto top = std::max_element(answer.begin(), answer.end()) - answer.begin();
      error += static_cast<float>(top) == label ? 0 : 1;
    } else {
      error += (answer[0] >= 0.5F) == (label == 1) ? 0 : 1;
    }
  }
  return error / 1000;
}

TEST(Learner, LearnsEachTask) {
  for (const auto& [task, outputs, most] :
       {std::tuple{Task::binary, 1, 0.1}, {Task::multiclass, 3, 0.1}, {Task::regression, 1, 3.0}}) {
    Learner learner(spec_of(task, static_cast<std::size_t>(outputs)), recipe_of(), 1, 0);
    const double before = error_of(learner);
    teach(learner, 6400);
    EXPECT_LT(error_of(learner), most);
    EXPECT_LT(error_of(learner), before);
  }
}

TEST(Learner, EachOptimizerLearns) {
  for (const auto& [kind, rate] : {std::pair{OptimizerKind::sgd, 0.2},
                                   {OptimizerKind::adam, 0.01},
                                   {OptimizerKind::adamw, 0.01}}) {
    Recipe recipe = recipe_of();
    recipe.optimizer = kind;
    recipe.learning_rate = rate;
    recipe.weight_decay = kind == OptimizerKind::adamw ? 0.01 : 0;
    Learner learner(spec_of(), recipe, 1, 0);
    teach(learner, 9600);
    EXPECT_LT(error_of(learner), 0.15) << static_cast<int>(kind);
  }
}

TEST(Learner, SavedInTheMiddleOfABatchItGoesOnBitForBit) {
  for (const ReplayKind replay : {ReplayKind::none, ReplayKind::recent, ReplayKind::reservoir}) {
    Recipe recipe = recipe_of();
    recipe.replay = replay;
    Learner learner(spec_of(), recipe, 4, 0);
    teach(learner, 1005);
    Encoder to;
    learner.save(to);
    Learner restored(spec_of(), recipe, 99, 0);
    Decoder from(to.bytes());
    restored.load(from, reader(Task::binary));
    EXPECT_TRUE(from.at_end());
    teach(learner, 2000);
    teach(restored, 2000);
    Encoder end;
    Encoder end_restored;
    learner.save(end);
    restored.save(end_restored);
    EXPECT_EQ(end.bytes(), end_restored.bytes());
  }
}

TEST(Learner, AnswersWithTheWeightsOfFullBatches) {
  Learner learner(spec_of(), recipe_of(), 1, 0);
  teach(learner, 32);
  const auto model = learner.model();
  teach(learner, 47);
  EXPECT_EQ(learner.model(), model);
  EXPECT_EQ(learner.learned_end(), 32U);
  teach(learner, 48);
  EXPECT_NE(learner.model(), model);
}

TEST(Learner, ALossThatBlowsUpStopsItAtItsLastFiniteWeights) {
  Recipe recipe = recipe_of();
  recipe.optimizer = OptimizerKind::sgd;
  recipe.learning_rate = 1e30;
  Learner learner(spec_of(Task::regression), recipe, 1, 0);
  teach(learner, 640);
  ASSERT_TRUE(learner.stopped().has_value());
  EXPECT_NE(learner.stopped()->find("learns no more"), std::string::npos);
  for (const float weight : learner.state()->parameters) ASSERT_TRUE(std::isfinite(weight));
  EXPECT_EQ(learner.next_row(), 640U);
}

TEST(Learner, RetrainingGivesTheSameBitsTwiceAndGoesOn) {
  const auto once = [] {
    return retrain(spec_of(), recipe_of(), 3, 100, 2105, 3, nullptr, reader(Task::binary),
                   [] { return false; });
  };
  const auto a = once();
  const auto b = once();
  EXPECT_EQ(*a->state(), *b->state());
  EXPECT_EQ(a->next_row(), 2105U);
  teach(*a, 3000);
  EXPECT_LT(error_of(*a), 0.15);
}

TEST(Learner, ACancelledRetrainingGivesNothing) {
  EXPECT_EQ(retrain(spec_of(), recipe_of(), 3, 0, 5000, 1, nullptr, reader(Task::binary),
                    [] { return true; }),
            nullptr);
}

TEST(Optimizer, AdamsFirstStepIsTheLearningRate) {
  Recipe recipe = recipe_of();
  recipe.optimizer = OptimizerKind::adam;
  Optimizer optimizer(recipe, 2);
  std::vector<float> parameters = {1, -1};
  optimizer.step(parameters, std::vector<float>{0.3F, -2.0F});
  EXPECT_NEAR(static_cast<double>(parameters[0]), 0.99, 1e-6);
  EXPECT_NEAR(static_cast<double>(parameters[1]), -0.99, 1e-6);
}

}  // namespace
}  // namespace freshet
