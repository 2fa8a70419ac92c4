#pragma once

#include <optional>
#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "orchestrator/owner.h"
#include "orchestrator/workspace.h"
#include "stream/open_source.h"

namespace CLI {
class App;
}

namespace freshet {

/// The pipeline a command is about: `named`, or the workspace's only one. Throws Error{invalid}
/// listing the names where that is not clear, Error{not_found} for a name that is not there.
std::string choose_pipeline(const Registry& registry, const std::string& named);

/// The recorded config of a pipeline.
PipelineConfig recorded_config(const Registry& registry, const std::string& pipeline);

/// An operator's command about one pipeline, by whoever may give it: the workspace's owner if there
/// is one, else this process, which owns it meanwhile.
struct OperatorCommand {
  OwnerAddress owner;
  std::string pipeline;  ///< empty: the only one
  CommandRecord record;  ///< kind, arguments, reason
};
std::vector<Decision> give_command(const OperatorCommand& command, const FindOwner& find_owner);

/// --workspace and --ca.
void add_owner_options(CLI::App& command, OwnerAddress& address);

/// --format.
void add_format_option(CLI::App& command, InputSpec::Format& format);

// Checks of an argument as it was typed, for CLI's `check`: empty where it is right, else what was
// found and what is expected.

/// A version's number: 1 or more.
std::string check_version_number(const std::string& text);
/// So many a second: a finite number above 0.
std::string check_rate(const std::string& text);

/// A workspace opened for reading while perhaps another process owns it.
Workspace read_workspace(const std::string& path);

}  // namespace freshet
