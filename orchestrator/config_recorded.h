#pragma once

#include <string>

#include "orchestrator/config.h"

namespace freshet {

/// `parse_config` of what it has taken once and `write_config` has written: a registry's config, a
/// checkpoint's. `what` names it in messages.
PipelineConfig parse_recorded_config(const std::string& text, const std::string& what);

}  // namespace freshet
