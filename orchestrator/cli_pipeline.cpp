#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/inspect.h"
#include "orchestrator/open_pipeline.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/summary.h"
#include "orchestrator/terminal.h"

namespace freshet {

using nlohmann::json;

namespace {

struct PipelineArguments {
  std::string config;
  OwnerAddress owner;
  std::string pipeline;
  std::string reason;
  std::string output;
  std::string input;
  InferOptions infer;
  bool json = false;
};

int init(const PipelineArguments& a) {
  const InferredConfig inferred = infer_config(a.input, a.infer);
  for (const std::string& note : inferred.notes) say("{}\n", note);
  if (a.output.empty()) {
    fmt::print("{}\n", inferred.text);
    return kDone;
  }
  if (std::filesystem::exists(a.output)) {
    throw Error(ErrorKind::conflict,
                fmt::format("{} is there already; choose another --output", a.output));
  }
  std::ofstream out(a.output);
  out << inferred.text << '\n';
  out.flush();
  if (!out) throw Error(ErrorKind::unavailable, fmt::format("cannot write {}", a.output));
  say("wrote {}; next: freshet run {} --input {} --workspace W\n", a.output, a.output, a.input);
  return kDone;
}

int check(const PipelineArguments& a) {
  try {
    const PipelineConfig config = read_config(a.config);
    if (a.json) {
      fmt::print("{}\n", json{{"problems", json::array()}}.dump());
    } else {
      fmt::print("{}: pipeline \"{}\" is fine\n", a.config, config.pipeline);
    }
    return kDone;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) throw;
    if (a.json) {
      fmt::print("{}\n", json{{"problems", {error.what()}}}.dump());
    } else {
      fmt::print("{}\n", error.what());
    }
    return kNegative;
  }
}

int show(const PipelineArguments& a) {
  if (!a.config.empty()) {
    fmt::print("{}\n", write_config(read_config(a.config), 2));
    return kDone;
  }
  if (a.owner.workspace.empty()) {
    throw Error(ErrorKind::invalid, "name a config file, or a --workspace");
  }
  Workspace workspace = read_workspace(a.owner.workspace);
  const std::string name = choose_pipeline(workspace.registry(), a.pipeline);
  fmt::print("{}\n", write_config(recorded_config(workspace.registry(), name), 2));
  return kDone;
}

int apply(const PipelineArguments& a, const FindOwner& find_owner) {
  const PipelineConfig config = read_config(a.config);
  const std::unique_ptr<Owner> owner = find_owner(a.owner);
  Workspace workspace =
      Workspace::open(a.owner.workspace, owner ? Workspace::Mode::read : Workspace::Mode::own);
  const PipelineConfig recorded =
      recorded_config(workspace.registry(), choose_pipeline(workspace.registry(), config.pipeline));
  const std::vector<ConfigDifference> all = differences(recorded, config);
  json differing = json::array();
  for (const ConfigDifference& d : all) {
    if (!a.json) fmt::print("{}: {} -> {} ({})\n", d.path, d.from, d.to, d.means);
    differing.push_back({{"path", d.path}, {"from", d.from}, {"to", d.to}, {"means", d.means}});
  }
  if (all.empty() && !a.json) fmt::print("nothing differs from the recorded config\n");
  std::vector<Decision> decisions;
  if (all.empty()) {
    // nothing to decide
  } else if (owner) {
    decisions = owner->apply(config.pipeline, write_config(config, 2), a.reason);
  } else {
    OpenPipeline open(workspace, config.pipeline, std::nullopt, {});
    open.apply_config(workspace, config, a.reason);
    decisions = open.pipeline.take_news();
  }
  json decided = json::array();
  for (const Decision& decision : decisions) {
    if (!a.json) fmt::print("{}\n", decision_line(decision));
    decided.push_back(decision_json(decision));
  }
  if (a.json) {
    fmt::print("{}\n", json_text({{"differences", differing}, {"decisions", decided}}, 2));
  }
  return kDone;
}

int steer(const PipelineArguments& a, const std::string& kind, const FindOwner& find_owner) {
  OperatorCommand command{a.owner, a.pipeline, {}};
  command.record.kind = kind;
  command.record.arguments = "{}";
  command.record.reason = a.reason;
  for (const Decision& decision : give_command(command, find_owner)) {
    fmt::print("{}\n", a.json ? json_text(decision_json(decision)) : decision_line(decision));
  }
  return kDone;
}

void add_init(CLI::App& pipeline, Command& chosen) {
  auto* sub = pipeline.add_subcommand("init", "A first config, from a look at a file of events");
  const auto a = std::make_shared<PipelineArguments>();
  sub->add_option("-i,--input", a->input, "A CSV or JSON lines file with labels")->required();
  sub->add_option("--label", a->infer.label, "The field to predict")->required();
  sub->add_option("--time", a->infer.time,
                  "The time: a field, two as date,hour, or every:30m,from:1996-05-07T00:00:00Z");
  sub->add_option("--id", a->infer.id, "The field that identifies an event");
  sub->add_option("--name", a->infer.name, "The pipeline's name (default: the file's)");
  sub->add_option("--task", a->infer.task, "binary, multiclass or regression (default: a guess)");
  sub->add_option("--known", a->infer.known, "When labels become known, as stream.label.known");
  sub->add_option("--drop", a->infer.drop, "Fields to leave out");
  sub->add_option("-o,--output", a->output, "The file to write (default: stdout)");
  sub->callback([=, &chosen] { chosen = [=] { return init(*a); }; });
}

}  // namespace

void add_pipeline_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner) {
  auto* pipeline = app.add_subcommand("pipeline", "A pipeline's config, and how it is steered");
  pipeline->require_subcommand(1);
  add_init(*pipeline, chosen);
  const auto add = [&](const char* name, const char* about, auto run) {
    auto* sub = pipeline->add_subcommand(name, about);
    const auto a = std::make_shared<PipelineArguments>();
    sub->add_flag("--json", a->json, "As JSON");
    sub->callback([=, &chosen] { chosen = [=] { return run(*a); }; });
    return std::pair{sub, a};
  };
  const auto [check_sub, check_args] =
      add("check", "Checks a config file; exit code 3 with the problems if there are any", check);
  check_sub->add_option("config", check_args->config, "The file")->required();
  const auto [show_sub, show_args] = add("show", "A config with all defaults filled in", show);
  show_sub->add_option("config", show_args->config, "A file (default: as recorded)");
  show_sub->add_option("-w,--workspace", show_args->owner.workspace, "The workspace's folder");
  show_sub->add_option("-p,--pipeline", show_args->pipeline, "Which pipeline");
  add("schema", "The JSON Schema of config files", [](const PipelineArguments&) {
    fmt::print("{}\n", config_schema());
    return int{kDone};
  });
  const auto [apply_sub, apply_args] =
      add("apply", "Records a changed config, showing what differs",
          [find_owner](const PipelineArguments& a) { return apply(a, find_owner); });
  apply_sub->add_option("config", apply_args->config, "The file")->required();
  add_owner_options(*apply_sub, apply_args->owner);
  apply_sub->add_option("--reason", apply_args->reason, "Why, for the record")->required();
  for (const std::string kind : {"pause", "resume", "train"}) {
    const char* about = kind == "pause"    ? "Holds refreshes and automatic promotion"
                        : kind == "resume" ? "Lets refreshes and automatic promotion go on"
                                           : "Trains the policy's candidates now";
    const auto [sub, args] =
        add(kind.c_str(), about,
            [kind, find_owner](const PipelineArguments& a) { return steer(a, kind, find_owner); });
    add_owner_options(*sub, args->owner);
    sub->add_option("-p,--pipeline", args->pipeline, "Which pipeline");
    sub->add_option("--reason", args->reason, "Why, for the record")->required();
  }
}

}  // namespace freshet
