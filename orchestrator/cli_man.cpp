#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/version.h"

namespace freshet {

namespace {

// As roff takes it: no control line, hyphens that can be copied.
std::string plain(const std::string& text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\n') {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + plain(text) + "\\fR"; }
std::string slanted(const std::string& text) { return "\\fI" + plain(text) + "\\fR"; }

std::string option_text(const CLI::Option& option) {
  std::string text = ".TP\n";
  const bool positional = option.get_positional() && !option.nonpositional();
  text += positional ? slanted(option.get_name(true)) : bold(option.get_name(false, true));
  const std::string type = option.get_type_name();
  if (!positional && !type.empty()) text += ' ' + slanted(type);
  std::string about = option.get_description();
  if (option.get_required()) about += "; required";
  if (!option.get_default_str().empty()) about += "; default " + option.get_default_str();
  if (!option.get_envname().empty()) about += "; environment " + option.get_envname();
  return text + "\n" + plain(about) + ".\n";
}

bool is_told(const CLI::Option& option) {
  return !option.get_group().empty() && !option.check_name("--help");
}

void describe(const CLI::App& command, const std::string& name, std::string& page) {
  if (command.get_group().empty()) return;
  const auto below = command.get_subcommands(nullptr);
  for (const CLI::App* one : below) describe(*one, name + ' ' + one->get_name(), page);
  if (!below.empty()) return;
  std::string usage = bold(name);
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string argument = slanted(option->get_name(true));
    usage += option->get_required() ? ' ' + argument : " [" + argument + ']';
  }
  page += ".SS " + usage + "\n" + plain(command.get_description()) + ".\n";
  for (const CLI::Option* option : command.get_options()) {
    if (is_told(*option)) page += option_text(*option);
  }
}

std::string man_page(const CLI::App& app) {
  std::string page = fmt::format(
      ".TH FRESHET 1 \"\" \"freshet {}\" \"User Commands\"\n"
      ".SH NAME\nfreshet \\- keeps models fresh on a stream of labeled events\n"
      ".SH SYNOPSIS\n\\fBfreshet\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n{}\nEach command has \\fB\\-\\-help\\fR.\n.SH COMMANDS\n",
      program_version(), plain(app.get_description()));
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    describe(*command, "freshet " + command->get_name(), page);
  }
  page +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nDone.\n.TP\n1\nIt failed; standard error says why.\n"
      ".TP\n2\nThe command line is wrong.\n"
      ".TP\n3\nThe answer is no: damage was found, a config has problems.\n"
      ".SH ENVIRONMENT\n"
      ".TP\n\\fBFRESHET_TOKEN\\fR\nThe operator's token, for serve and for commands that go to a "
      "server.\n"
      ".TP\n\\fBFRESHET_CA\\fR\nThe certificate that such commands trust.\n"
      ".TP\n\\fBFRESHET_TORCH_MODULE\\fR\nThe training module, where it is not beside the "
      "program.\n";
  return page;
}

}  // namespace

void add_man_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("help-man", "The man page");
  command->group("");
  command->callback([&app, &chosen] {
    chosen = [&app] {
      fmt::print("{}", man_page(app));
      return kDone;
    };
  });
}

}  // namespace freshet
