#pragma once

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/changes.h"
#include "orchestrator/disk_use.h"
#include "orchestrator/served_pipeline.h"
#include "orchestrator/workspace.h"

namespace freshet {

/// One pipeline of a service: its config as a file states it (nullopt: as recorded), and its feed.
struct ServedConfig {
  std::string name;
  std::optional<PipelineConfig> file;
  FeedOptions feed;
};

/// The pipelines of one workspace, running. Thread-safe, but for making and ending it.
///
///   Service service(folder, configs);   // owns the workspace from here on
///   service.pipeline("bikes").append(…);
///
/// Ends as each ServedPipeline does, at `end` or when it goes.
class Service {
 public:
  /// Serves `configs`, and every other pipeline the workspace has; `notice` hears of all. Throws
  /// Error{invalid} when that is none, and what opening throws.
  Service(const std::string& folder, const std::vector<ServedConfig>& configs,
          const Notice& notice = {});

  void end() {
    for (const auto& pipeline : pipelines_) pipeline->end();
  }

  Workspace& workspace() { return workspace_; }
  Changes& changes() { return changes_; }
  DiskWatch& disk() const { return disk_; }
  /// In order of their names.
  const std::vector<std::unique_ptr<ServedPipeline>>& pipelines() const { return pipelines_; }
  /// Throws Error{not_found} naming those there are.
  ServedPipeline& pipeline(const std::string& name) const;

 private:
  Workspace workspace_;
  Changes changes_;
  mutable DiskWatch disk_;
  std::vector<std::unique_ptr<ServedPipeline>> pipelines_;
};

}  // namespace freshet
