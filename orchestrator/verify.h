#pragma once

#include <string>
#include <vector>

#include "orchestrator/workspace.h"

namespace freshet {

/// Reads every artifact that a revision names, every log batch and every row chunk of a pipeline
/// against its hash. Gives the damage in words, naming file and place; empty when all is whole.
std::vector<std::string> verify_workspace(Workspace& workspace, const std::string& pipeline);

}  // namespace freshet
