#include <fmt/format.h>

#include "trainer/recipe.h"

namespace freshet {

std::vector<ParameterShape> parameter_shapes(const ModelSpec& spec) {
  std::vector<ParameterShape> shapes;
  std::size_t offset = 0;
  const auto add = [&](std::string name, std::size_t rows, std::size_t cols) {
    shapes.push_back({std::move(name), offset, rows, cols});
    offset += rows * cols;
  };
  std::size_t inputs = 0;
  std::size_t embeddings = 0;
  for (const FeatureSlot& slot : spec.layout) {
    if (!slot.embedding) {
      ++inputs;
      continue;
    }
    const std::size_t dim = spec.network.kind == NetworkKind::linear ? 1 : slot.dim;
    add(fmt::format("embedding.{}", embeddings++), slot.buckets, dim);
    inputs += dim;
  }
  std::vector<std::size_t> outputs;
  if (spec.network.kind == NetworkKind::mlp) {
    outputs.assign(spec.network.hidden.begin(), spec.network.hidden.end());
  }
  outputs.push_back(spec.outputs);
  for (std::size_t layer = 0; layer < outputs.size(); ++layer) {
    add(fmt::format("layer.{}.weight", layer), inputs, outputs[layer]);
    add(fmt::format("layer.{}.bias", layer), 1, outputs[layer]);
    inputs = outputs[layer];
  }
  return shapes;
}

std::size_t parameter_count(const ModelSpec& spec) {
  const ParameterShape last = parameter_shapes(spec).back();
  return last.offset + last.rows * last.cols;
}

}  // namespace freshet
