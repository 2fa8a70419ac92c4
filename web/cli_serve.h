#pragma once

#include "orchestrator/cli.h"

namespace freshet {

/// Adds the commands that serve: serve, demo, token.
void add_serve_commands(CLI::App& app, Command& chosen);

}  // namespace freshet
