#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "orchestrator/config_check.h"
#include "orchestrator/config_describe_policy.h"
#include "orchestrator/config_reader.h"
#include "orchestrator/config_recorded.h"
#include "orchestrator/json_positions.h"
#include "stream/error.h"

namespace freshet {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;

[[noreturn]] void refuse(const ConfigProblems& problems) {
  throw Error(ErrorKind::invalid, problems.text());
}

[[noreturn]] void refuse_size(const std::string& file_name) {
  throw Error(ErrorKind::invalid, fmt::format("{}:1:1: found more than {} bytes, expected a config",
                                              file_name, kMaxBytes));
}

PipelineConfig parse(const std::string& text, const std::string& file_name, bool recorded) {
  if (text.size() > kMaxBytes) refuse_size(file_name);
  const JsonPositions positions(text);
  ConfigProblems problems(positions, file_name);
  for (const JsonPositions::Fault& fault : positions.faults()) {
    problems.at(fault.offset, fault.message);
  }
  if (!problems.empty()) refuse(problems);
  PipelineConfig config;
  const nlohmann::json root = nlohmann::json::parse(text);
  ConfigReader reader(root, {}, problems);
  reader.value(Object{[&](auto& v) { describe(v, config); }});
  fill_defaults(config, problems);
  check_config(config, problems);
  if (!recorded) check_kafka_settings(config, problems);
  if (!problems.empty()) refuse(problems);
  return config;
}

}  // namespace

PipelineConfig parse_config(const std::string& text, const std::string& file_name) {
  return parse(text, file_name, false);
}

PipelineConfig parse_recorded_config(const std::string& text, const std::string& what) {
  return parse(text, what, true);
}

Recipe parse_recipe(const std::string& text, const PipelineConfig& config) {
  nlohmann::json root = nlohmann::json::parse(write_config(config));
  root.erase("retrain");  // it names learners
  root["learners"] = nlohmann::json::array({nlohmann::json::parse(text, nullptr, false)});
  return parse_recorded_config(root.dump(), "recorded recipe").learners.at(0);
}

PipelineConfig read_config(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw Error(ErrorKind::not_found, fmt::format("{}: there is no such config file", path));
  }
  if (std::filesystem::is_directory(path, error)) {
    throw Error(ErrorKind::invalid,
                fmt::format("{}: found a folder, expected a config file", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    throw Error(ErrorKind::unavailable, fmt::format("{}: cannot be read", path));
  }
  return parse_config(text, path);
}

}  // namespace freshet
