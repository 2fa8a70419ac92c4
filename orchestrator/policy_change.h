#pragma once

#include <string>
#include <vector>

#include "orchestrator/open_pipeline.h"

namespace freshet {

/// Puts `config` in force in place of the recorded one, as an operator's command: a decision that
/// says what differs and why, and Pipeline::apply_config. Throws Error{conflict}
/// when nothing differs, or naming what cannot change in a workspace and how to go on; nothing has
/// changed then.
void apply_config(Workspace& workspace, OpenPipeline& open, const PipelineConfig& config,
                  const std::string& reason);

}  // namespace freshet
