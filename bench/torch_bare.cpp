#include <torch/torch.h>

#undef LOG
#undef CHECK
#undef DCHECK

#include <algorithm>

#include "bench/bare_torch.h"

namespace freshet {

class BareTorch::Impl {
 public:
  Impl(std::size_t inputs, std::span<const std::uint32_t> hidden, double learning_rate)
      : network_(layers(inputs, hidden)),
        adam_(network_->parameters(), torch::optim::AdamOptions(learning_rate)),
        inputs_(static_cast<std::int64_t>(inputs)) {}

  void train(const float* rows, const float* labels, std::size_t n, std::size_t batch) {
    for (std::size_t begin = 0; begin < n; begin += batch) {
      const auto count = static_cast<std::int64_t>(std::min(batch, n - begin));
      const at::Tensor x = view(rows, begin, count);
      const at::Tensor y = torch::from_blob(const_cast<float*>(labels + begin), {count, 1});
      adam_.zero_grad();
      torch::nn::functional::binary_cross_entropy_with_logits(network_->forward(x), y).backward();
      adam_.step();
    }
  }

  void forward(const float* rows, std::size_t n, std::size_t batch, float* answers) {
    const c10::InferenceMode no_graph;
    for (std::size_t begin = 0; begin < n; begin += batch) {
      const auto count = static_cast<std::int64_t>(std::min(batch, n - begin));
      const at::Tensor p = torch::sigmoid(network_->forward(view(rows, begin, count)));
      std::copy_n(p.data_ptr<float>(), count, answers + begin);
    }
  }

 private:
  static torch::nn::Sequential layers(std::size_t inputs, std::span<const std::uint32_t> hidden) {
    torch::nn::Sequential network;
    auto in = static_cast<std::int64_t>(inputs);
    for (const std::uint32_t out : hidden) {
      network->push_back(torch::nn::Linear(in, out));
      network->push_back(torch::nn::ReLU());
      in = out;
    }
    network->push_back(torch::nn::Linear(in, 1));
    return network;
  }

  at::Tensor view(const float* rows, std::size_t begin, std::int64_t count) const {
    const auto at = begin * static_cast<std::size_t>(inputs_);
    return torch::from_blob(const_cast<float*>(rows + at), {count, inputs_});
  }

  torch::nn::Sequential network_;
  torch::optim::Adam adam_;
  const std::int64_t inputs_;
};

BareTorch::BareTorch(std::size_t inputs, std::span<const std::uint32_t> hidden,
                     double learning_rate) {
  at::set_num_threads(1);
  torch::manual_seed(1);
  impl_ = std::make_unique<Impl>(inputs, hidden, learning_rate);
}
BareTorch::~BareTorch() = default;

void BareTorch::train(const float* rows, const float* labels, std::size_t n, std::size_t batch) {
  impl_->train(rows, labels, n, batch);
}

void BareTorch::forward(const float* rows, std::size_t n, std::size_t batch, float* answers) {
  impl_->forward(rows, n, batch, answers);
}

}  // namespace freshet
