#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "orchestrator/config.h"

namespace freshet {
namespace {

using nlohmann::json;

constexpr const char* kPolicy = "policy";
constexpr const char* kNewLearner = "new learner";
constexpr const char* kNewWorkspace = "new workspace";

// What the recorded log and its rows were made with cannot change under them.
const char* meaning(std::string_view path) {
  if (path.starts_with("stream.source") || path == "stream.durability") return kPolicy;
  for (const std::string_view fixed : {"pipeline", "task", "seed", "tick_rows", "stream"}) {
    if (path.starts_with(fixed)) return kNewWorkspace;
  }
  if (path.starts_with("features") || path.starts_with("learners")) return kNewLearner;
  return kPolicy;
}

std::string shown(const json& value, bool present) {
  return present ? value.dump() : std::string("absent");
}

void compare(const std::string& path, const json& from, const json& to,
             std::vector<ConfigDifference>& found);

void compare_objects(const std::string& path, const json& from, const json& to,
                     std::vector<ConfigDifference>& found) {
  json all = from;
  all.update(to);
  for (const auto& [name, value] : all.items()) {
    const std::string inner = path.empty() ? name : path + "." + name;
    if (from.contains(name) && to.contains(name)) {
      compare(inner, from[name], to[name], found);
    } else {
      found.push_back({inner, shown(value, from.contains(name)), shown(value, to.contains(name)),
                       meaning(inner)});
    }
  }
}

void compare(const std::string& path, const json& from, const json& to,
             std::vector<ConfigDifference>& found) {
  if (from == to) return;
  if (from.is_object() && to.is_object()) return compare_objects(path, from, to, found);
  const bool items = from.is_array() && to.is_array() && (from.empty() || from[0].is_object()) &&
                     (to.empty() || to[0].is_object());
  if (!items) {
    found.push_back({path, from.dump(), to.dump(), meaning(path)});
    return;
  }
  const json nothing;
  for (std::size_t i = 0; i < std::max(from.size(), to.size()); ++i) {
    const std::string inner = fmt::format("{}[{}]", path, i);
    if (i < from.size() && i < to.size()) {
      compare(inner, from[i], to[i], found);
    } else {
      found.push_back({inner, shown(i < from.size() ? from[i] : nothing, i < from.size()),
                       shown(i < to.size() ? to[i] : nothing, i < to.size()), meaning(inner)});
    }
  }
}

}  // namespace

std::vector<ConfigDifference> differences(const PipelineConfig& from, const PipelineConfig& to) {
  std::vector<ConfigDifference> found;
  compare("", json::parse(write_config(from)), json::parse(write_config(to)), found);
  return found;
}

}  // namespace freshet
