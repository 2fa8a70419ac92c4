#include "trainer/artifact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <span>

#include <nlohmann/json.hpp>

#include "stream/error.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr int kFormat = 1;
constexpr std::uint64_t kMaxHeader = 1U << 24U;

struct Tensor {
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string bytes;
};

template <class T>
std::string bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

json manifest(const ModelSpec& spec) {
  json layout = json::array();
  for (const FeatureSlot& slot : spec.layout) {
    layout.push_back({{"name", slot.name},
                      {"embedding", slot.embedding},
                      {"scaled", slot.scaled},
                      {"buckets", slot.buckets},
                      {"dim", slot.dim}});
  }
  return {{"format", kFormat},
          {"task", static_cast<int>(spec.task)},
          {"outputs", spec.outputs},
          {"network", spec.network.kind == NetworkKind::linear ? "linear" : "mlp"},
          {"hidden", spec.network.hidden},
          {"layout", std::move(layout)}};
}

ModelSpec read_manifest(const json& j) {
  if (j.at("format") != kFormat) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the artifact has format {}, this build reads format {}",
                            j.at("format").dump(), kFormat));
  }
  ModelSpec spec;
  const int task = j.at("task").get<int>();
  if (task < 0 || task > 2) throw Error(ErrorKind::corrupt, "the artifact's task is unknown");
  spec.task = static_cast<Task>(task);
  spec.outputs = j.at("outputs").get<std::size_t>();
  const auto network = j.at("network").get<std::string>();
  if (network != "linear" && network != "mlp") {
    throw Error(ErrorKind::corrupt, "the artifact's network is unknown: " + network);
  }
  spec.network.kind = network == "linear" ? NetworkKind::linear : NetworkKind::mlp;
  spec.network.hidden = j.at("hidden").get<std::vector<std::uint32_t>>();
  for (const json& entry : j.at("layout")) {
    FeatureSlot slot;
    slot.name = entry.at("name").get<std::string>();
    slot.embedding = entry.at("embedding").get<bool>();
    slot.scaled = entry.at("scaled").get<bool>();
    slot.buckets = entry.at("buckets").get<std::uint32_t>();
    slot.dim = entry.at("dim").get<std::uint32_t>();
    spec.layout.push_back(std::move(slot));
  }
  return spec;
}

std::map<std::string, Tensor> tensors_of(const ModelSpec& spec, const ModelState& state) {
  std::map<std::string, Tensor> tensors;
  for (const ParameterShape& shape : parameter_shapes(spec)) {
    const std::span<const float> values(state.parameters.data() + shape.offset,
                                        shape.rows * shape.cols);
    tensors[shape.name] = {"F32", {shape.rows, shape.cols}, bytes_of(values)};
  }
  const auto doubles = [&](const std::string& name, const std::vector<double>& values) {
    tensors[name] = {"F64", {values.size()}, bytes_of(std::span<const double>(values))};
  };
  doubles("scaler.count", state.scaler.count);
  doubles("scaler.mean", state.scaler.mean);
  doubles("scaler.m2", state.scaler.m2);
  doubles("label", {state.label_mean, state.label_scale});
  return tensors;
}

/// Reads tensors by name out of a checked file.
class TensorFile {
 public:
  TensorFile(const json& header, std::string_view data) : header_(header), data_(data) {}

  template <class T>
  std::vector<T> read(const std::string& name, std::size_t count) const {
    if (!header_.contains(name)) throw damaged(name, "is missing");
    const json& entry = header_.at(name);
    if (entry.at("dtype") != (sizeof(T) == 4 ? "F32" : "F64"))
      throw damaged(name, "has another type");
    const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
    if (end > data_.size() || begin > end || end - begin != count * sizeof(T)) {
      throw damaged(name, "has another size");
    }
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), data_.data() + begin, count * sizeof(T));
    for (const T value : values) {
      if (!std::isfinite(value)) throw damaged(name, "holds NaN or infinity");
    }
    return values;
  }

 private:
  static Error damaged(const std::string& name, const std::string& what) {
    return {ErrorKind::corrupt, fmt::format("artifact: tensor \"{}\" {}", name, what)};
  }

  const json& header_;
  std::string_view data_;
};

Artifact read_checked(const std::string& bytes) {
  std::uint64_t size = 0;
  if (bytes.size() < sizeof size) throw Error(ErrorKind::corrupt, "artifact: the file is cut");
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size > kMaxHeader || size > bytes.size() - sizeof size) {
    throw Error(ErrorKind::corrupt, "artifact: the header's size is wrong");
  }
  const json header = json::parse(bytes.begin() + sizeof size,
                                  bytes.begin() + static_cast<std::ptrdiff_t>(sizeof size + size));
  Artifact artifact;
  artifact.spec =
      read_manifest(json::parse(header.at("__metadata__").at("freshet").get<std::string>()));
  const std::vector<ParameterShape> shapes = parameter_shapes(artifact.spec);
  std::size_t total = 0;
  for (const ParameterShape& shape : shapes) {
    if (shape.rows == 0 || shape.cols == 0 || shape.rows > bytes.size() ||
        shape.cols > bytes.size() || shape.rows * shape.cols > bytes.size()) {
      throw Error(ErrorKind::corrupt, "artifact: the manifest's shapes don't fit the file");
    }
    total += shape.rows * shape.cols;
  }
  const TensorFile file(header, std::string_view(bytes).substr(sizeof size + size));
  artifact.state.parameters.reserve(total);
  for (const ParameterShape& shape : shapes) {
    const auto values = file.read<float>(shape.name, shape.rows * shape.cols);
    artifact.state.parameters.insert(artifact.state.parameters.end(), values.begin(), values.end());
  }
  const auto dense = static_cast<std::size_t>(
      std::count_if(artifact.spec.layout.begin(), artifact.spec.layout.end(),
                    [](const FeatureSlot& slot) { return !slot.embedding; }));
  artifact.state.scaler.count = file.read<double>("scaler.count", dense);
  artifact.state.scaler.mean = file.read<double>("scaler.mean", dense);
  artifact.state.scaler.m2 = file.read<double>("scaler.m2", dense);
  const auto label = file.read<double>("label", 2);
  artifact.state.label_mean = label[0];
  artifact.state.label_scale = label[1];
  return artifact;
}

}  // namespace

std::string write_artifact(const ModelSpec& spec, const ModelState& state) {
  json header{{"__metadata__", {{"freshet", manifest(spec).dump()}}}};
  std::string data;
  for (const auto& [name, tensor] : tensors_of(spec, state)) {
    const std::size_t begin = data.size();
    data += tensor.bytes;
    header[name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data start aligned
  const std::uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text + data;
}

Artifact read_artifact(const std::string& bytes) {
  try {
    return read_checked(bytes);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::corrupt,
                fmt::format("artifact: the header is damaged ({})", error.what()));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::corrupt, "artifact: the manifest asks for more memory than there is");
  }
}

}  // namespace freshet
