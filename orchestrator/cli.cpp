#include "orchestrator/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "orchestrator/run.h"
#include "orchestrator/terminal.h"
#include "orchestrator/version.h"
#include "stream/error.h"
#include "stream/nearest_name.h"

namespace freshet {

namespace {

constexpr unsigned kPatienceSeconds = 3;

void on_signal(int signal) {
  const bool is_second = stop_requested.exchange(true);  // a second Ctrl-C doesn't wait
  if (is_second || signal == SIGALRM) std::_Exit(130);
  if (answer_awaited) ::alarm(kPatienceSeconds);
}

int run_command(const Command& command) {
  try {
    const int code = command();
    if (flush_output()) return code;
  } catch (const Error& error) {
    say("freshet: {}\n", error.what());
    return kFailed;
  } catch (const std::bad_alloc&) {
    say("freshet: out of memory: what is durable stays, and the same command goes on where there "
        "is more; smaller networks, fewer buckets and a smaller replay need less\n");
    return kFailed;
  } catch (const std::exception& error) {
    if (flush_output()) {
      say("freshet: unexpected: {}\n", error.what());
      return kFailed;
    }
  }
  say("freshet: standard output cannot be written (closed, or its disk is full): what was to be "
      "printed is lost\n");
  return kFailed;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? "freshet"
                                     : full_name(*app.get_parent()) + ' ' + app.get_name();
}

/// What a mistyped command, at whatever level, may have meant; empty if none is mistyped.
std::string unknown_command(const CLI::App& app, std::span<char*> typed_words) {
  if (typed_words.empty() || typed_words[0][0] == '-') return "";
  const std::string typed = typed_words[0];
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  if (names.empty()) return "";
  if (std::find(names.begin(), names.end(), typed) != names.end()) {
    return unknown_command(*app.get_subcommand(typed), typed_words.subspan(1));
  }
  const std::string nearest = nearest_name(typed, names);
  return fmt::format(
      "there is no command \"{}\"{} See {} --help.",
      app.get_parent() == nullptr ? typed : app.get_name() + " " + typed,
      nearest.empty() ? std::string(".") : fmt::format("; did you mean \"{}\"?", nearest),
      full_name(app));
}

/// Likewise of the long options of the command that was typed.
std::string unknown_option(const CLI::App& app, std::span<char*> typed_words) {
  if (typed_words.empty()) return "";
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name() == typed_words[0]) {
      return unknown_option(*command, typed_words.subspan(1));
    }
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  }
  for (const std::string_view word : typed_words) {
    if (word == "--") break;  // what follows is no option
    const std::string typed(word.substr(0, word.find('=')));
    if (!typed.starts_with("--") || app.get_option_no_throw(typed) != nullptr) continue;
    const std::string nearest = nearest_name(typed.substr(2), names);
    if (nearest.empty()) continue;
    return fmt::format("{0} has no option \"{1}\"; did you mean \"--{2}\"? See {0} --help.",
                       full_name(app), typed, nearest);
  }
  return "";
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

int run_command_line(int argc, char** argv, const std::vector<AddCommands>& more,
                     const FindOwner& find_owner) {
  keep_standard_streams();
  CLI::App app{"Freshet: keeps models fresh on a stream of labeled events."};
  app.name("freshet");
  app.require_subcommand(1);
  app.fallthrough(false);
  Command chosen;
  add_run_commands(app, chosen);
  add_pipeline_commands(app, chosen, find_owner);
  add_event_commands(app, chosen, find_owner);
  add_predict_command(app, chosen, find_owner);
  add_registry_commands(app, chosen, find_owner);
  add_backtest_command(app, chosen);
  add_workspace_commands(app, chosen);
  for (const AddCommands add : more) add(app, chosen);
  add_version_command(app, chosen);
  add_man_command(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const auto typed = std::span(argv, static_cast<std::size_t>(argc)).subspan(1);
    std::string unknown = unknown_command(app, typed);
    if (unknown.empty() && error.get_exit_code() != 0) unknown = unknown_option(app, typed);
    if (!unknown.empty()) {
      say("freshet: {}\n", unknown);
      return kUsage;
    }
    const int code = app.exit(error);
    return code != 0 ? kUsage : flush_output() ? kDone : kFailed;
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGALRM, on_signal);
  return run_command(chosen);
}

}  // namespace freshet
