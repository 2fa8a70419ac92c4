#include <torch/torch.h>
#include <torch/version.h>

#undef LOG
#undef CHECK
#undef DCHECK

#include <algorithm>
#include <cmath>
#include <string>

#include "stream/random.h"
#include "trainer/optimizer.h"
#include "trainer/train_step.h"

namespace freshet {

namespace {

struct TableView {
  std::size_t slot = 0;
  std::size_t offset = 0;
  std::size_t dim = 0;
};

/// Weights, bias and gradients of a layer as tensors over the flat memory.
struct LayerView {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  at::Tensor weight, bias, weight_gradient, bias_gradient;
};

/// Forward and backward passes of the built-in networks. The families are few and fixed, so the
/// chain rule is written out: every matrix product is LibTorch's, but there is no graph to build
/// and to free for each batch.
class TorchTrainStep : public TrainStep {
 public:
  TorchTrainStep(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed)
      : spec_(spec),
        recipe_(recipe),
        parameters_(parameter_count(spec)),
        gradients_(parameters_.size()),
        optimizer_(recipe, parameters_.size()) {
    const std::vector<ParameterShape> shapes = parameter_shapes(spec);
    std::size_t next = 0;
    for (std::size_t slot = 0; slot < spec.layout.size(); ++slot) {
      if (!spec.layout[slot].embedding) {
        ++dense_;
        continue;
      }
      tables_.push_back({slot, shapes[next].offset, shapes[next].cols});
      ++next;
    }
    table_end_ = shapes[next].offset;
    for (; next < shapes.size(); next += 2) layers_.push_back(view(shapes[next], shapes[next + 1]));
    draw_weights(shapes, seed);
  }

  double step(const float* inputs, const float* targets, std::size_t n) override {
    const c10::InferenceMode no_graph;
    gather(inputs, n);
    forward(n);
    const double loss = output_gradient(targets, n);
    backward(n);
    scatter(inputs, n);
    if (recipe_.clip_gradient_norm > 0) clip();
    optimizer_.step(parameters_, gradients_);
    return loss;
  }

  void read_parameters(std::span<float> out) const override {
    std::copy(parameters_.begin(), parameters_.end(), out.begin());
  }
  void write_parameters(std::span<const float> in) override {
    std::copy(in.begin(), in.end(), parameters_.begin());
  }
  std::string optimizer_state() const override { return optimizer_.state(); }
  void restore_optimizer(const std::string& state) override { optimizer_.restore(state); }

 private:
  static at::Tensor matrix(float* data, std::size_t rows, std::size_t cols) {
    return at::from_blob(data, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols)},
                         at::kFloat);
  }

  LayerView view(const ParameterShape& weight, const ParameterShape& bias) {
    LayerView layer;
    layer.inputs = weight.rows;
    layer.outputs = weight.cols;
    layer.weight = matrix(parameters_.data() + weight.offset, weight.rows, weight.cols);
    layer.bias = matrix(parameters_.data() + bias.offset, 1, bias.cols);
    layer.weight_gradient = matrix(gradients_.data() + weight.offset, weight.rows, weight.cols);
    layer.bias_gradient = matrix(gradients_.data() + bias.offset, 1, bias.cols);
    return layer;
  }

  // Layers as torch::nn::Linear draws them, uniform within 1/sqrt(inputs); embeddings narrow, so
  // that an unseen category starts near none.
  void draw_weights(const std::vector<ParameterShape>& shapes, std::uint64_t seed) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const ParameterShape& shape = shapes[i];
      KeyedGenerator generator(seed, 1, i);
      const bool table = i < tables_.size();
      const ParameterShape& weight = shape.rows == 1 && !table && i > 0 ? shapes[i - 1] : shape;
      const double bound = table ? 0.05 : 1 / std::sqrt(static_cast<double>(weight.rows));
      for (std::size_t k = 0; k < shape.rows * shape.cols; ++k) {
        parameters_[shape.offset + k] = static_cast<float>((2 * generator.uniform() - 1) * bound);
      }
    }
  }

  void gather(const float* inputs, std::size_t n) {
    const std::size_t width = spec_.layout.size();
    const std::size_t columns = layers_.front().inputs;
    reserve(n);
    float* out = activations_[0].data();
    if (tables_.empty()) {
      std::copy_n(inputs, n * columns, out);
      return;
    }
    for (std::size_t row = 0; row < n; ++row, inputs += width) {
      out = std::copy_n(inputs, dense_, out);
      for (const TableView& table : tables_) {
        const auto bucket = static_cast<std::size_t>(inputs[table.slot]);
        out = std::copy_n(parameters_.data() + table.offset + bucket * table.dim, table.dim, out);
      }
    }
  }

  // The tensors over the buffers are made once for each batch size that occurs.
  void reserve(std::size_t n) {
    if (n == rows_) return;
    rows_ = n;
    activations_.resize(layers_.size() + 1);
    deltas_.resize(layers_.size() + 1);
    activation_views_.resize(layers_.size() + 1);
    delta_views_.resize(layers_.size() + 1);
    for (std::size_t l = 0; l <= layers_.size(); ++l) {
      const std::size_t columns = l == 0 ? layers_.front().inputs : layers_[l - 1].outputs;
      activations_[l].resize(n * columns);
      deltas_[l].resize(n * columns);
      activation_views_[l] = matrix(activations_[l].data(), n, columns);
      delta_views_[l] = matrix(deltas_[l].data(), n, columns);
    }
  }

  void forward(std::size_t n) {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      at::addmm_out(activation_views_[l + 1], layers_[l].bias, activation_views_[l],
                    layers_[l].weight);
      if (l + 1 == layers_.size()) return;
      float* a = activations_[l + 1].data();
      const std::size_t count = n * layers_[l].outputs;
      for (std::size_t i = 0; i < count; ++i) a[i] = a[i] > 0.0F ? a[i] : 0.0F;
    }
  }

  double class_weight(float target) const {
    if (recipe_.class_weights.empty()) return 1;
    return recipe_.class_weights[static_cast<std::size_t>(target)];
  }

  /// Fills the last delta with d(mean loss)/d(output); gives the mean loss.
  double output_gradient(const float* targets, std::size_t n) {
    const std::vector<float>& z = activations_.back();
    std::vector<float>& delta = deltas_.back();
    double loss = 0;
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += class_weight_of(targets[i]);
    for (std::size_t i = 0; i < n; ++i) {
      const double weight = class_weight_of(targets[i]) / total;
      if (spec_.task == Task::multiclass) {
        loss += weight * softmax_gradient(z.data() + i * spec_.outputs, targets[i], weight,
                                          delta.data() + i * spec_.outputs);
      } else if (spec_.task == Task::binary) {
        const auto x = static_cast<double>(z[i]);
        const auto y = static_cast<double>(targets[i]);
        loss += weight * (std::max(x, 0.0) - x * y + std::log1p(std::exp(-std::abs(x))));
        delta[i] = static_cast<float>(weight * (1 / (1 + std::exp(-x)) - y));
      } else {
        const double d = static_cast<double>(z[i]) - static_cast<double>(targets[i]);
        loss += weight * regression_loss(d);
        delta[i] = static_cast<float>(weight * regression_slope(d));
      }
    }
    return loss;
  }

  double class_weight_of(float target) const {
    return spec_.task == Task::regression ? 1 : class_weight(target);
  }

  double softmax_gradient(const float* z, float target, double weight, float* delta) const {
    const std::size_t k = spec_.outputs;
    const auto label = static_cast<std::size_t>(target);
    const float top = *std::max_element(z, z + k);
    double sum = 0;
    for (std::size_t j = 0; j < k; ++j) sum += std::exp(static_cast<double>(z[j] - top));
    for (std::size_t j = 0; j < k; ++j) {
      const double p = std::exp(static_cast<double>(z[j] - top)) / sum;
      delta[j] = static_cast<float>(weight * (p - (j == label ? 1 : 0)));
    }
    return std::log(sum) - static_cast<double>(z[label] - top);
  }

  double regression_loss(double d) const {
    switch (recipe_.loss) {
      case RegressionLoss::squared:
        return d * d;
      case RegressionLoss::absolute:
        return std::abs(d);
      case RegressionLoss::huber:
        return std::abs(d) < 1 ? d * d / 2 : std::abs(d) - 0.5;
    }
    return 0;
  }

  double regression_slope(double d) const {
    switch (recipe_.loss) {
      case RegressionLoss::squared:
        return 2 * d;
      case RegressionLoss::absolute:
        return d > 0 ? 1 : d < 0 ? -1 : 0;
      case RegressionLoss::huber:
        return std::clamp(d, -1.0, 1.0);
    }
    return 0;
  }

  void backward(std::size_t n) {
    for (std::size_t l = layers_.size(); l-- > 0;) {
      LayerView& layer = layers_[l];
      const at::Tensor& delta = delta_views_[l + 1];
      at::mm_out(layer.weight_gradient, activation_views_[l].t(), delta);
      sum_columns(deltas_[l + 1].data(), n, layer.outputs, layer.bias_gradient.data_ptr<float>());
      if (l == 0 && tables_.empty()) return;
      at::mm_out(delta_views_[l], delta, layer.weight.t());
      if (l == 0) return;
      float* d = deltas_[l].data();
      const float* a = activations_[l].data();
      const std::size_t count = n * layer.inputs;
      for (std::size_t i = 0; i < count; ++i) d[i] = a[i] > 0.0F ? d[i] : 0.0F;
    }
  }

  static void sum_columns(const float* rows, std::size_t n, std::size_t columns, float* out) {
    std::fill_n(out, columns, 0.0F);
    for (std::size_t row = 0; row < n; ++row, rows += columns) {
      for (std::size_t j = 0; j < columns; ++j) out[j] += rows[j];
    }
  }

  void scatter(const float* inputs, std::size_t n) {
    if (tables_.empty()) return;
    std::fill_n(gradients_.begin(), table_end_, 0.0F);
    const std::size_t columns = layers_.front().inputs;
    const float* delta = deltas_[0].data();
    for (std::size_t row = 0; row < n; ++row, delta += columns, inputs += spec_.layout.size()) {
      const float* from = delta + dense_;
      for (const TableView& table : tables_) {
        const auto bucket = static_cast<std::size_t>(inputs[table.slot]);
        float* to = gradients_.data() + table.offset + bucket * table.dim;
        for (std::size_t j = 0; j < table.dim; ++j) to[j] += *from++;
      }
    }
  }

  void clip() {
    double squares = 0;
    for (const float g : gradients_) squares += static_cast<double>(g) * static_cast<double>(g);
    const double scale = recipe_.clip_gradient_norm / (std::sqrt(squares) + 1e-6);
    if (scale >= 1) return;
    for (float& g : gradients_) g *= static_cast<float>(scale);
  }

  const ModelSpec spec_;
  const Recipe recipe_;
  std::vector<float> parameters_;
  std::vector<float> gradients_;
  Optimizer optimizer_;
  std::vector<TableView> tables_;
  std::vector<LayerView> layers_;
  std::size_t dense_ = 0;
  std::size_t table_end_ = 0;
  std::size_t rows_ = 0;
  std::vector<std::vector<float>> activations_;  // [0] the inputs, [l + 1] layer l's outputs
  std::vector<std::vector<float>> deltas_;       // d(loss)/d(activations)
  std::vector<at::Tensor> activation_views_;
  std::vector<at::Tensor> delta_views_;
};

class LinkedTorch : public TorchModule {
 public:
  LinkedTorch() {
    at::set_num_threads(1);
    at::globalContext().setDeterministicAlgorithms(true, false);
  }

  std::unique_ptr<TrainStep> make(const ModelSpec& spec, const Recipe& recipe,
                                  std::uint64_t seed) const override {
    return std::make_unique<TorchTrainStep>(spec, recipe, seed);
  }
  std::string torch_version() const override { return TORCH_VERSION; }
};

}  // namespace

}  // namespace freshet

extern "C" const freshet::TorchModule* freshet_torch_module() {
  static const freshet::LinkedTorch module;
  return &module;
}
