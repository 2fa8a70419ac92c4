// What is written out by hand for speed, held to LibTorch's own: the networks' gradients to its
// autograd, the optimizers to torch::optim, the scorer to its forward pass. All in floats.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stream/random.h"
#include "trainer/model.h"
#include "trainer/optimizer.h"
#include "trainer/train_step.h"

namespace freshet {
namespace {

constexpr std::size_t kRows = 37;

ModelSpec spec_of(Task task, std::vector<std::uint32_t> hidden, bool embeddings) {
  ModelSpec spec;
  spec.task = task;
  spec.outputs = task == Task::multiclass ? 4 : 1;
  spec.network.kind = hidden.empty() ? NetworkKind::linear : NetworkKind::mlp;
  spec.network.hidden = std::move(hidden);
  for (std::size_t i = 0; i < 6; ++i) {
    FeatureSlot slot;
    slot.name = "x" + std::to_string(i);
    slot.scaled = true;
    spec.layout.push_back(slot);
  }
  for (std::uint32_t i = 0; embeddings && i < 2; ++i) {
    FeatureSlot slot;
    slot.embedding = true;
    slot.buckets = 5 + i;  // fewer than rows: buckets come several times a batch
    slot.dim = 3 + i;
    spec.layout.push_back(slot);
  }
  return spec;
}

struct Batch {
  std::vector<float> inputs;
  std::vector<float> targets;
};

Batch batch_of(const ModelSpec& spec, std::uint64_t seed) {
  KeyedGenerator generator(seed);
  Batch batch;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (const FeatureSlot& slot : spec.layout) {
      batch.inputs.push_back(slot.embedding ? static_cast<float>(generator.below(slot.buckets))
                                            : static_cast<float>(4 * generator.uniform() - 2));
    }
    batch.targets.push_back(spec.task == Task::regression
                                ? static_cast<float>(6 * generator.uniform() - 3)
                                : static_cast<float>(generator.below(
                                      spec.task == Task::multiclass ? spec.outputs : 2)));
  }
  return batch;
}

torch::Tensor tensor(const std::vector<float>& values) { return torch::tensor(values); }

/// The part of the flat parameters that `shape` names, as a view that autograd follows.
torch::Tensor part(const torch::Tensor& flat, const ParameterShape& shape) {
  const auto rows = static_cast<std::int64_t>(shape.rows);
  const auto cols = static_cast<std::int64_t>(shape.cols);
  return flat.narrow(0, static_cast<std::int64_t>(shape.offset), rows * cols).view({rows, cols});
}

torch::Tensor forward(const ModelSpec& spec, const torch::Tensor& flat,
                      const std::vector<float>& inputs) {
  const auto width = static_cast<std::int64_t>(spec.layout.size());
  const torch::Tensor rows = tensor(inputs).view({-1, width});
  const std::vector<ParameterShape> shapes = parameter_shapes(spec);
  std::vector<torch::Tensor> columns;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < width; ++i) {
    if (!spec.layout[static_cast<std::size_t>(i)].embedding) {
      columns.push_back(rows.narrow(1, i, 1));
    } else {
      columns.push_back(
          torch::embedding(part(flat, shapes[next++]), rows.select(1, i).to(torch::kLong)));
    }
  }
  torch::Tensor x = torch::cat(columns, 1);
  for (; next < shapes.size(); next += 2) {
    x = torch::addmm(part(flat, shapes[next + 1]), x, part(flat, shapes[next]));
    if (next + 2 < shapes.size()) x = torch::relu(x);
  }
  return x;
}

torch::Tensor mean_loss(const ModelSpec& spec, const Recipe& recipe, const torch::Tensor& z,
                        const std::vector<float>& targets) {
  namespace F = torch::nn::functional;
  const torch::Tensor y = tensor(targets);
  if (spec.task == Task::regression) {
    const torch::Tensor answer = z.view({-1});
    if (recipe.loss == RegressionLoss::absolute) return F::l1_loss(answer, y);
    if (recipe.loss == RegressionLoss::huber) return F::smooth_l1_loss(answer, y);
    return F::mse_loss(answer, y);
  }
  torch::Tensor weights = torch::ones({spec.task == Task::multiclass ? 4 : 2});
  for (std::size_t i = 0; i < recipe.class_weights.size(); ++i) {
    weights[static_cast<std::int64_t>(i)] = recipe.class_weights[i];
  }
  if (spec.task == Task::multiclass) {
    return F::cross_entropy(z, y.to(torch::kLong), F::CrossEntropyFuncOptions().weight(weights));
  }
  const torch::Tensor of_row = weights.index_select(0, y.to(torch::kLong));
  return F::binary_cross_entropy_with_logits(
             z.view({-1}), y,
             F::BinaryCrossEntropyWithLogitsFuncOptions().weight(of_row).reduction(torch::kSum)) /
         of_row.sum();
}

/// One plain SGD step of rate 1 on parameters near zero: what it subtracts is the gradient.
void expect_same_gradient(const ModelSpec& spec, Recipe recipe, const std::string& name) {
  SCOPED_TRACE(name);
  recipe.network = spec.network;
  recipe.optimizer = OptimizerKind::sgd;
  recipe.learning_rate = 1;
  const auto step = TorchModule::load().make(spec, recipe, 3);
  std::vector<float> before(parameter_count(spec));
  step->read_parameters(before);
  for (float& p : before) p *= 2;  // so that embeddings, drawn narrow, count
  step->write_parameters(before);
  const Batch batch = batch_of(spec, 5);
  const double loss = step->step(batch.inputs.data(), batch.targets.data(), kRows);
  std::vector<float> after(before.size());
  step->read_parameters(after);

  const torch::Tensor flat = tensor(before).requires_grad_(true);
  const torch::Tensor expected =
      mean_loss(spec, recipe, forward(spec, flat, batch.inputs), batch.targets);
  expected.backward();
  EXPECT_NEAR(loss, expected.item<double>(), 1e-5);
  torch::Tensor gradient = flat.grad();
  if (recipe.clip_gradient_norm > 0) {
    ASSERT_GT(gradient.norm().item<double>(), recipe.clip_gradient_norm) << "nothing to clip";
    torch::nn::utils::clip_grad_norm_({flat}, recipe.clip_gradient_norm);
    gradient = flat.grad();
  }
  const torch::Tensor difference = (tensor(before) - tensor(after) - gradient).abs();
  EXPECT_LT(difference.max().item<double>(), 1e-5);
  EXPECT_GT(gradient.abs().max().item<double>(), 0.01);
}

TEST(TrainStep, GradientsAreThoseOfAutograd) {
  for (const Task task : {Task::binary, Task::multiclass, Task::regression}) {
    for (const bool embeddings : {false, true}) {
      for (const std::vector<std::uint32_t>& hidden :
           {std::vector<std::uint32_t>{}, {16}, {16, 9}}) {
        expect_same_gradient(spec_of(task, hidden, embeddings), {},
                             "task " + std::to_string(static_cast<int>(task)) +
                                 (embeddings ? ", embeddings, " : ", ") +
                                 std::to_string(hidden.size()) + " hidden layers");
      }
    }
  }
}

TEST(TrainStep, ClassWeightsLossesAndClippingAreThoseOfLibTorch) {
  Recipe weighted;
  weighted.class_weights = {1, 5};
  expect_same_gradient(spec_of(Task::binary, {16}, true), weighted, "binary, weighted");
  weighted.class_weights = {0.5, 1, 2, 7};
  expect_same_gradient(spec_of(Task::multiclass, {16}, true), weighted, "multiclass, weighted");
  for (const RegressionLoss loss : {RegressionLoss::absolute, RegressionLoss::huber}) {
    Recipe recipe;
    recipe.loss = loss;
    expect_same_gradient(spec_of(Task::regression, {16}, true), recipe,
                         "loss " + std::to_string(static_cast<int>(loss)));
  }
  Recipe clipped;
  clipped.clip_gradient_norm = 0.05;
  expect_same_gradient(spec_of(Task::binary, {16}, true), clipped, "clipped");
}

using MakeOptimizer =
    std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<torch::Tensor>)>;

/// The same gradients to both, 2,000 steps long.
void expect_same_steps(const Recipe& recipe, const MakeOptimizer& make, const std::string& name) {
  SCOPED_TRACE(name);
  constexpr std::size_t kParameters = 50;
  KeyedGenerator generator(8);
  std::vector<float> parameters(kParameters);
  for (float& p : parameters) p = static_cast<float>(2 * generator.uniform() - 1);
  const torch::Tensor reference = tensor(parameters).requires_grad_(true);
  const auto torch_optimizer = make({reference});
  Optimizer optimizer(recipe, kParameters);
  double worst = 0;
  for (int step = 0; step < 2000; ++step) {
    std::vector<float> gradients(kParameters);
    for (std::size_t i = 0; i < kParameters; ++i) {
      gradients[i] = parameters[i] + static_cast<float>(2 * generator.uniform() - 1);
    }
    reference.mutable_grad() = tensor(gradients);
    torch_optimizer->step();
    optimizer.step(parameters, gradients);
    worst = std::max(worst, (reference.detach() - tensor(parameters)).abs().max().item<double>());
  }
  EXPECT_LT(worst, 1e-6);
}

TEST(Optimizer, StepsAreThoseOfTorchOptim) {
  namespace optim = torch::optim;
  Recipe recipe;
  recipe.learning_rate = 0.01;
  for (const double decay : {0.0, 0.1}) {
    recipe.weight_decay = decay;
    for (const double momentum : {0.0, 0.9}) {
      recipe.optimizer = OptimizerKind::sgd;
      recipe.momentum = momentum;
      expect_same_steps(
          recipe,
          [&](std::vector<torch::Tensor> p) {
            return std::make_unique<optim::SGD>(
                p, optim::SGDOptions(0.01).momentum(momentum).weight_decay(decay));
          },
          "sgd, momentum " + std::to_string(momentum) + ", decay " + std::to_string(decay));
    }
    recipe.momentum = 0;
    recipe.optimizer = OptimizerKind::adam;
    expect_same_steps(
        recipe,
        [&](std::vector<torch::Tensor> p) {
          return std::make_unique<optim::Adam>(p, optim::AdamOptions(0.01).weight_decay(decay));
        },
        "adam, decay " + std::to_string(decay));
    recipe.optimizer = OptimizerKind::adamw;
    expect_same_steps(
        recipe,
        [&](std::vector<torch::Tensor> p) {
          return std::make_unique<optim::AdamW>(p, optim::AdamWOptions(0.01).weight_decay(decay));
        },
        "adamw, decay " + std::to_string(decay));
  }
}

TEST(Scorer, AnswersAreLibTorchsForward) {
  for (const Task task : {Task::binary, Task::multiclass, Task::regression}) {
    const ModelSpec spec = spec_of(task, {16, 9}, true);
    ModelState state;
    KeyedGenerator generator(11);
    state.parameters.resize(parameter_count(spec));
    for (float& p : state.parameters) p = static_cast<float>(generator.uniform() - 0.5);
    // A scaler of mean 0 and variance 1: raw values are the network's inputs.
    state.scaler = {std::vector<double>(6, 100), std::vector<double>(6, 0),
                    std::vector<double>(6, 100)};
    const Batch batch = batch_of(spec, 12);
    std::vector<float> answers(kRows * spec.outputs);
    make_model(spec, state)->predict(batch.inputs.data(), kRows, answers.data());
    torch::Tensor expected = forward(spec, tensor(state.parameters), batch.inputs);
    if (task == Task::binary) expected = torch::sigmoid(expected);
    if (task == Task::multiclass) expected = torch::softmax(expected, 1);
    EXPECT_LT((expected.view({-1}) - tensor(answers)).abs().max().item<double>(), 1e-5);
  }
}

}  // namespace
}  // namespace freshet
