#include "orchestrator/cli.h"

namespace freshet {

void add_backtest_command(CLI::App&, Command&) {}

}  // namespace freshet
