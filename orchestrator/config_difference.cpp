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

// What the recorded log and its rows were made with cannot change under them.
const char* meaning(std::string_view path, bool removed) {
  if (path.starts_with("stream.source") || path == "stream.durability" ||
      path.starts_with("stream.keep")) {
    return kMeansPolicy;
  }
  for (const std::string_view fixed :
       {"pipeline", "task", "seed", "tick_rows", "stream", "features"}) {
    if (path.starts_with(fixed)) return kMeansNewWorkspace;
  }
  if (!path.starts_with("learners")) return kMeansPolicy;
  const bool whole = std::count(path.begin(), path.end(), '.') == 1;
  return removed && whole ? kMeansStops : kMeansNewLearner;
}

/// With the learners by name, so that their order and their neighbours mean nothing.
json comparable(const PipelineConfig& config) {
  json j = json::parse(write_config(config));
  json learners = json::object();
  for (json& learner : j["learners"]) {
    const auto name = learner["name"].get<std::string>();
    learner.erase("name");
    learners[name] = std::move(learner);
  }
  j["learners"] = std::move(learners);
  return j;
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
                       meaning(inner, from.contains(name))});
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
    found.push_back({path, from.dump(), to.dump(), meaning(path, false)});
    return;
  }
  const json nothing;
  for (std::size_t i = 0; i < std::max(from.size(), to.size()); ++i) {
    const std::string inner = fmt::format("{}[{}]", path, i);
    if (i < from.size() && i < to.size()) {
      compare(inner, from[i], to[i], found);
    } else {
      found.push_back({inner, shown(i < from.size() ? from[i] : nothing, i < from.size()),
                       shown(i < to.size() ? to[i] : nothing, i < to.size()),
                       meaning(inner, false)});
    }
  }
}

}  // namespace

std::vector<ConfigDifference> differences(const PipelineConfig& from, const PipelineConfig& to) {
  std::vector<ConfigDifference> found;
  compare("", comparable(from), comparable(to), found);
  return found;
}

}  // namespace freshet
