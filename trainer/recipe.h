#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stream/feature_set.h"
#include "stream/schema.h"

namespace freshet {

enum class NetworkKind { linear, mlp };

struct NetworkSpec {
  NetworkKind kind = NetworkKind::mlp;
  std::vector<std::uint32_t> hidden = {64, 64};  ///< mlp: ReLU layers; empty for linear

  bool operator==(const NetworkSpec&) const = default;
};

enum class OptimizerKind { sgd, adam, adamw };
enum class ReplayKind { none, recent, reservoir };
enum class RegressionLoss { squared, absolute, huber };

/// How a model is trained.
struct Recipe {
  std::string name;
  NetworkSpec network;
  std::vector<FeatureSpec> features;  ///< of its own; empty: the pipeline's
  OptimizerKind optimizer = OptimizerKind::adam;
  double learning_rate = 0.003;
  double weight_decay = 0;   ///< adamw: decoupled; sgd, adam: L2
  double momentum = 0;       ///< sgd
  std::uint32_t batch = 32;  ///< new rows a batch
  std::uint32_t steps = 1;   ///< optimizer steps a batch
  ReplayKind replay = ReplayKind::none;
  std::uint32_t replay_capacity = 2000;           ///< rows
  double replay_share = 0.75;                     ///< of a step's rows that are replayed, [0, 0.95]
  std::vector<double> class_weights;              ///< empty: all 1
  double clip_gradient_norm = 0;                  ///< 0: no clipping
  RegressionLoss loss = RegressionLoss::squared;  ///< regression only, on the standardised label

  bool operator==(const Recipe&) const = default;
};

/// The shape of a model: what turns feature vectors into answers.
struct ModelSpec {
  Task task = Task::binary;
  std::size_t outputs = 1;  ///< answer width
  FeatureLayout layout;
  NetworkSpec network;

  bool operator==(const ModelSpec&) const = default;
};

/// One named weight tensor in the flat, canonical order of a model's parameters.
struct ParameterShape {
  std::string name;        ///< "embedding.0", "layer.0.weight", "layer.0.bias"
  std::size_t offset = 0;  ///< in floats
  std::size_t rows = 0;    ///< buckets, or inputs k
  std::size_t cols = 0;    ///< dim, or outputs j; a bias has rows = 1
};

/// Embedding tables in slot order ([bucket][dim]; a linear network has dim 1 whatever the layout
/// says), then for each layer its weights [k][j] (k the input) and bias [j]. A layer's input is
/// the dense slots, then the embeddings' values in slot order.
std::vector<ParameterShape> parameter_shapes(const ModelSpec& spec);
std::size_t parameter_count(const ModelSpec& spec);

}  // namespace freshet
