#pragma once

#include <functional>
#include <string>
#include <vector>

#include "orchestrator/owner.h"

namespace CLI {
class App;
}

namespace freshet {

/// Exit codes of the program.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNegative = 3,  ///< the answer is no: verify found damage, check found problems
};

/// What the chosen command runs once parsing is done; gives the exit code.
using Command = std::function<int()>;
/// Adds commands to the app, and sets `chosen` when one of them is named.
using AddCommands = void (*)(CLI::App& app, Command& chosen);

/// The whole command line, with the commands that `more` add: parses, runs one command, prints
/// errors to stderr, gives the exit code. Commands on a workspace that is served go to its owner,
/// which `find_owner` finds.
int run_command_line(int argc, char** argv, const std::vector<AddCommands>& more,
                     const FindOwner& find_owner);

void add_run_commands(CLI::App& app, Command& chosen);  // run
void add_pipeline_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner);
void add_event_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner);
void add_registry_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner);
void add_predict_command(CLI::App& app, Command& chosen, const FindOwner& find_owner);
/// help-man (hidden): the whole command line as a man page, from what --help says.
void add_man_command(CLI::App& app, Command& chosen);
void add_backtest_command(CLI::App& app, Command& chosen);       // backtest
void add_workspace_commands(CLI::App& app, Command& chosen);     // workspace
void add_version_commands(CLI::App& registry, Command& chosen);  // registry reproduce …

}  // namespace freshet
