#include "orchestrator/command_support.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace freshet {

std::string choose_pipeline(const Registry& registry, const std::string& named) {
  const std::vector<std::string> names = registry.pipelines();
  if (named.empty()) {
    if (names.size() == 1) return names.front();
    throw Error(ErrorKind::invalid,
                names.empty() ? std::string("the workspace has no pipeline yet: freshet run makes "
                                            "one")
                              : fmt::format("say which pipeline with --pipeline: {}",
                                            fmt::join(names, ", ")));
  }
  if (std::find(names.begin(), names.end(), named) == names.end()) {
    throw Error(ErrorKind::not_found, fmt::format("no pipeline \"{}\" here; there are: {}", named,
                                                  fmt::join(names, ", ")));
  }
  return named;
}

PipelineConfig recorded_config(const Registry& registry, const std::string& pipeline) {
  return parse_config(registry.config(pipeline).value(), "recorded config");
}

Workspace read_workspace(const std::string& path) {
  return Workspace::open(path, Workspace::Mode::read);
}

}  // namespace freshet
