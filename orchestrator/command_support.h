#pragma once

#include <optional>
#include <string>

#include "orchestrator/config.h"
#include "orchestrator/workspace.h"

namespace freshet {

/// The pipeline a command is about: `named`, or the workspace's only one. Throws Error{invalid}
/// listing the names where that is not clear, Error{not_found} for a name that is not there.
std::string choose_pipeline(const Registry& registry, const std::string& named);

/// The recorded config of a pipeline.
PipelineConfig recorded_config(const Registry& registry, const std::string& pipeline);

/// A workspace opened for reading while perhaps another process owns it.
Workspace read_workspace(const std::string& path);

}  // namespace freshet
