#include "trainer/model.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "stream/error.h"
#include "trainer/input_scaling.h"
#include "trainer/scorer.h"

namespace freshet {

namespace {

using AlignedFloats = hwy::AlignedFreeUniquePtr<float[]>;

constexpr std::size_t kTileRows = 48;  // inputs and activations of a tile stay in the L1 cache

/// e^x for x in [-88, 88] in plain double arithmetic: 2^k times a Taylor polynomial of degree 12 on
/// [-ln2/2, ln2/2], good to 1e-15. The C library's exp may differ between machines.
double exponential(double x) {
  constexpr double kLog2 = 0.693147180559945309417232121458;
  const double k = std::floor(x / kLog2 + 0.5);
  const double r = x - k * kLog2;
  double sum = 1;
  for (int i = 12; i >= 1; --i) sum = 1 + r * sum / i;
  return std::ldexp(sum, static_cast<int>(k));
}

constexpr double kMost = std::numeric_limits<float>::max();

// Weights and unscaled inputs can be so large that a sum overflows: still every question gets a
// number, 0 (which says nothing) where the network's is none.
float finite(float z) {
  constexpr auto kMostFloat = std::numeric_limits<float>::max();
  return std::isnan(z) ? 0.0F : std::clamp(z, -kMostFloat, kMostFloat);
}

float sigmoid(float z) {
  const double x = std::clamp(static_cast<double>(z), -88.0, 88.0);
  return static_cast<float>(1 / (1 + exponential(-x)));
}

void softmax(const float* z, std::size_t n, float* out) {
  const float top = *std::max_element(z, z + n);
  double sum = 0;
  std::vector<double> powers(n);
  for (std::size_t i = 0; i < n; ++i) {
    powers[i] = exponential(std::max(-88.0, static_cast<double>(z[i]) - static_cast<double>(top)));
    sum += powers[i];
  }
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(powers[i] / sum);
}

struct Embedding {
  std::size_t slot = 0;
  std::size_t buckets = 0;
  std::size_t dim = 0;
  std::size_t offset = 0;  // in the parameters
};

struct Layer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;  // padded
  AlignedFloats weights;
  AlignedFloats bias;
};

class NetworkModel : public Model {
 public:
  NetworkModel(const ModelSpec& spec, const ModelState& state)
      : task_(spec.task),
        outputs_(spec.outputs),
        width_(spec.layout.size()),
        label_mean_(state.label_mean),
        label_scale_(state.label_scale),
        scaling_(spec.layout, state.scaler) {
    const std::vector<ParameterShape> shapes = parameter_shapes(spec);
    std::size_t next = 0;
    for (std::size_t slot = 0; slot < spec.layout.size(); ++slot) {
      if (!spec.layout[slot].embedding) continue;
      const ParameterShape& shape = shapes[next++];
      embeddings_.push_back({slot, shape.rows, shape.cols, tables_.size()});
      const float* from = state.parameters.data() + shape.offset;
      tables_.insert(tables_.end(), from, from + shape.rows * shape.cols);
    }
    for (; next < shapes.size(); next += 2) pack(shapes[next], shapes[next + 1], state.parameters);
    for (const Layer& layer : layers_) widest_ = std::max(widest_, layer.outputs);
  }

  std::size_t outputs() const override { return outputs_; }

  void predict(const float* vectors, std::size_t n, float* answers) const override {
    const std::size_t inputs = layers_.front().inputs;
    const std::size_t rows = std::min(n, kTileRows);
    // A buffer of the thread's own: allocating costs as much as scoring a row.
    thread_local AlignedFloats buffer;
    thread_local std::size_t buffer_size = 0;
    const std::size_t needed = rows * (padded(inputs) + 2 * widest_);
    if (buffer_size < needed) {
      buffer = hwy::AllocateAligned<float>(needed);
      buffer_size = needed;
    }
    float* x = buffer.get();
    float* activations[2] = {x + rows * padded(inputs), x + rows * (padded(inputs) + widest_)};
    for (std::size_t begin = 0; begin < n; begin += kTileRows) {
      const std::size_t count = std::min(kTileRows, n - begin);
      for (std::size_t r = 0; r < count; ++r) {
        prepare(vectors + (begin + r) * width_, x + r * inputs);
      }
      float* in = x;
      std::size_t stride = inputs;
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        const Layer& layer = layers_[l];
        float* out = activations[l % 2];
        score_layer(in, stride, count, layer.inputs, layer.weights.get(), layer.bias.get(),
                    layer.outputs, l + 1 < layers_.size(), out);
        in = out;
        stride = layer.outputs;
      }
      for (std::size_t r = 0; r < count; ++r) {
        finish(in + r * stride, answers + (begin + r) * outputs_);
      }
    }
  }

 private:
  void pack(const ParameterShape& weight, const ParameterShape& bias,
            const std::vector<float>& parameters) {
    Layer layer;
    layer.inputs = weight.rows;
    layer.outputs = padded(weight.cols);
    layer.weights = hwy::AllocateAligned<float>(layer.inputs * layer.outputs);
    layer.bias = hwy::AllocateAligned<float>(layer.outputs);
    const float* from = parameters.data() + weight.offset;
    for (std::size_t k = 0; k < layer.inputs; ++k) {
      float* row = layer.weights.get() + k * layer.outputs;
      std::copy_n(from + k * weight.cols, weight.cols, row);
      std::fill(row + weight.cols, row + layer.outputs, 0.0F);
    }
    std::copy_n(parameters.data() + bias.offset, bias.cols, layer.bias.get());
    std::fill(layer.bias.get() + bias.cols, layer.bias.get() + layer.outputs, 0.0F);
    layers_.push_back(std::move(layer));
  }

  void prepare(const float* vector, float* out) const {
    scaling_.apply(vector, out);
    out += scaling_.dense();
    for (const Embedding& embedding : embeddings_) {
      const auto bucket = static_cast<std::size_t>(vector[embedding.slot]);
      assert_bucket(bucket < embedding.buckets);
      std::copy_n(tables_.data() + embedding.offset + bucket * embedding.dim, embedding.dim, out);
      out += embedding.dim;
    }
  }

  static void assert_bucket(bool inside) {
    if (!inside) throw Error(ErrorKind::invalid, "a feature vector holds a bucket out of range");
  }

  void finish(float* z, float* answer) const {
    for (std::size_t i = 0; i < outputs_; ++i) z[i] = finite(z[i]);
    switch (task_) {
      case Task::binary:
        answer[0] = sigmoid(z[0]);
        break;
      case Task::multiclass:
        softmax(z, outputs_, answer);
        break;
      case Task::regression:
        answer[0] = static_cast<float>(
            std::clamp(label_mean_ + label_scale_ * static_cast<double>(z[0]), -kMost, kMost));
        break;
    }
  }

  const Task task_;
  const std::size_t outputs_;
  const std::size_t width_;
  const double label_mean_;
  const double label_scale_;
  const InputScaling scaling_;
  std::vector<Embedding> embeddings_;
  std::vector<float> tables_;
  std::vector<Layer> layers_;
  std::size_t widest_ = 0;
};

}  // namespace

std::shared_ptr<const Model> make_model(const ModelSpec& spec, const ModelState& state) {
  if (state.parameters.size() != parameter_count(spec)) {
    throw Error(ErrorKind::invalid, "a model's parameters don't fit its shape");
  }
  return std::make_shared<NetworkModel>(spec, state);
}

}  // namespace freshet
