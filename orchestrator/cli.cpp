#include "orchestrator/cli.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "orchestrator/run.h"
#include "orchestrator/version.h"
#include "stream/error.h"

namespace freshet {

namespace {

void on_signal(int) {
  if (stop_requested.exchange(true)) std::_Exit(130);  // a second Ctrl-C doesn't wait
}

void add_version_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("version", "Versions of the program and of what it uses");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "As one JSON object");
  command->callback([=, &chosen] {
    chosen = [=] {
      fmt::print("{}\n", version_text(*json));
      return kDone;
    };
  });
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"Freshet: keeps models fresh on a stream of labeled events."};
  app.name("freshet");
  app.require_subcommand(1);
  app.fallthrough(false);
  Command chosen;
  add_run_commands(app, chosen);
  add_pipeline_commands(app, chosen);
  add_event_commands(app, chosen);
  add_registry_commands(app, chosen);
  add_backtest_command(app, chosen);
  add_version_command(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kDone : kUsage;
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  try {
    return chosen();
  } catch (const Error& error) {
    fmt::print(stderr, "freshet: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "freshet: unexpected: {}\n", error.what());
  }
  return kFailed;
}

}  // namespace freshet
