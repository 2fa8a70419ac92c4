#include "orchestrator/command_support.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <system_error>

#include <CLI/CLI.hpp>

#include "orchestrator/config_recorded.h"
#include "orchestrator/open_pipeline.h"

namespace freshet {

std::string choose_pipeline(const Registry& registry, const std::string& named) {
  const std::vector<std::string> names = registry.pipelines();
  if (named.empty()) {
    if (names.size() == 1) return names.front();
    throw Error(ErrorKind::invalid,
                names.empty() ? std::string("the workspace has no pipeline yet: freshet run makes "
                                            "one")
                              : fmt::format("say which pipeline with --pipeline: {}",
                                            fmt::join(names, ", ")));
  }
  if (std::find(names.begin(), names.end(), named) == names.end()) {
    throw Error(ErrorKind::not_found, fmt::format("no pipeline \"{}\" here; there are: {}", named,
                                                  fmt::join(names, ", ")));
  }
  return named;
}

PipelineConfig recorded_config(const Registry& registry, const std::string& pipeline) {
  return parse_recorded_config(registry.config(pipeline).value(), "recorded config");
}

std::vector<Decision> give_command(const OperatorCommand& command, const FindOwner& find_owner) {
  const std::string& folder = command.owner.workspace;
  if (const auto owner = find_owner(command.owner)) {
    const std::string name = choose_pipeline(read_workspace(folder).registry(), command.pipeline);
    return owner->command(name, command.record);
  }
  Workspace workspace = Workspace::open(folder, Workspace::Mode::own);
  const std::string name = choose_pipeline(workspace.registry(), command.pipeline);
  OpenPipeline open(workspace, name, std::nullopt, {});
  open.command(workspace, command.record);
  return open.pipeline.take_news();
}

void add_owner_options(CLI::App& command, OwnerAddress& address) {
  command.add_option("-w,--workspace", address.workspace, "The workspace's folder")->required();
  command
      .add_option("--ca", address.certificate,
                  "Trust this certificate (PEM) of the server that runs the workspace")
      ->envname("FRESHET_CA");
}

void add_format_option(CLI::App& command, InputSpec::Format& format) {
  const std::map<std::string, InputSpec::Format> names = {{"csv", InputSpec::csv},
                                                          {"jsonl", InputSpec::jsonl}};
  command.add_option("--format", format, "csv or jsonl, where the name doesn't tell")
      ->transform(CLI::CheckedTransformer(names).description(""))
      ->option_text("TEXT:{csv,jsonl}");
}

std::string check_version_number(const std::string& text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && at == end && number > 0) return "";
  return fmt::format("found {}, expected a version's number, from 1 on", text);
}

std::string check_rate(const std::string& text) {
  double rate = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, rate);
  if (error == std::errc() && at == end && std::isfinite(rate) && rate > 0) return "";
  return fmt::format("found {}, expected so many a second: a number above 0", text);
}

Workspace read_workspace(const std::string& path) {
  return Workspace::open(path, Workspace::Mode::read);
}

}  // namespace freshet
