#include "orchestrator/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "stream/error.h"
#include "stream/nearest_name.h"

namespace freshet {

Service::Service(const std::string& folder, const std::vector<ServedConfig>& configs,
                 const Notice& notice)
    : workspace_(Workspace::open(folder, Workspace::Mode::own)), disk_(folder) {
  std::map<std::string, ServedConfig> all;
  for (const std::string& name : workspace_.registry().pipelines()) all[name].name = name;
  for (const ServedConfig& config : configs) all[config.name] = config;
  if (all.empty()) {
    throw Error(ErrorKind::invalid,
                fmt::format("{}: the workspace has no pipeline yet: give a config file", folder));
  }
  for (const auto& [name, config] : all) {
    pipelines_.push_back(
        std::make_unique<ServedPipeline>(workspace_, name, config.file, config.feed, changes_,
                                         [notice, pipeline = name](const std::string& text) {
                                           if (notice)
                                             notice(fmt::format("pipeline {}: {}", pipeline, text));
                                         }));
  }
}

ServedPipeline& Service::pipeline(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& pipeline : pipelines_) {
    if (pipeline->name() == name) return *pipeline;
    names.push_back(pipeline->name());
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(ErrorKind::not_found,
              fmt::format("there is no pipeline \"{}\"; {}: {}", name,
                          nearest.empty() ? "there are" : "the nearest is",
                          nearest.empty() ? fmt::format("{}", fmt::join(names, ", ")) : nearest));
}

}  // namespace freshet
