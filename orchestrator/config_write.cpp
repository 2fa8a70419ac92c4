#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "orchestrator/config_describe_policy.h"
#include "orchestrator/config_writer.h"
#include "stream/sha256.h"

namespace freshet {

using nlohmann::json;

void ConfigWriter::value(const ScalarText& shape) {
  const json number =
      shape.always_text ? json() : json::parse(shape.value, nullptr, /*allow_exceptions=*/false);
  node_ = number.is_number() || number.is_boolean() ? number : json(shape.value);
}

void ConfigWriter::value(const UtcOffset& shape) {
  const Millis minutes = (shape.value < 0 ? -shape.value : shape.value) / kMinute;
  node_ = fmt::format("{}{:02}:{:02}", shape.value < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::string write_config(const PipelineConfig& config, int indent) {
  PipelineConfig copy = config;
  json node = json::object();
  ConfigWriter writer(node);
  describe(writer, copy);
  return node.dump(indent);
}

std::string config_hash(const PipelineConfig& config) {
  Sha256 hash;
  hash.add(write_config(config));
  return hash.hex();
}

}  // namespace freshet
