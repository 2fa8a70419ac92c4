#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/run.h"

namespace freshet {

namespace {

struct RunArguments {
  RunOptions options;
  std::vector<std::string> inputs;
  std::string labels;
  InputSpec::Format format = InputSpec::detect;
  bool follow = false;
  std::uint64_t worker_delay = 0;
};

void complete(RunArguments& a) {
  for (const std::string& name : a.inputs) {
    InputSpec spec;
    spec.name = name;
    spec.format = a.format;
    spec.follow = a.follow;
    a.options.inputs.push_back(spec);
  }
  a.options.follow = a.follow;
  if (!a.labels.empty()) {
    if (a.options.inputs.size() != 1) {
      throw Error(ErrorKind::invalid, "--labels is merged with one --input: give exactly one");
    }
    a.options.labels = a.labels;
  }
  if (a.worker_delay != 0) a.options.knobs.worker_delay = a.worker_delay;
}

void add_knobs(CLI::App& command, RunArguments& a) {
  command
      .add_option("--read-chunk", a.options.knobs.read_chunk,
                  "Records read at a time; changes no result")
      ->check(CLI::Range(1, 1'000'000));
  command
      .add_option("--worker-delay", a.worker_delay,
                  "Seed of random delays in the worker; changes no result")
      ->group("");
}

void add_run(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "run",
      "Runs a bounded input (a Kafka topic: as far as it goes now) through the whole loop, then "
      "prints a summary");
  const auto a = std::make_shared<RunArguments>();
  command->add_option("config", a->options.config_path,
                      "The pipeline's config (JSON); not needed once the workspace has it");
  command->add_option("-w,--workspace", a->options.workspace, "The workspace's folder")->required();
  command->add_option("-i,--input", a->inputs,
                      "A CSV or JSON lines file (.gz too), or - for standard input; read in order");
  command->add_option("--labels", a->labels, "A file of label events, merged by time");
  add_format_option(*command, a->format);
  command->add_flag(
      "--follow", a->follow,
      "Go on as the file grows, and beyond the ends of Kafka's partitions, until Ctrl-C");
  command->add_option(
      "--from-log", a->options.from_log,
      "Take the log of the same pipeline in another workspace as the input; without a "
      "config, its first config and its commands too: the same comes out, unless events were "
      "erased from it");
  command->add_flag("--final", a->options.final,
                    "Close the stream: every label that can become known does");
  command->add_flag("--json", a->options.json, "The summary as one JSON object on stdout");
  add_knobs(*command, *a);
  command->callback([=, &chosen] {
    chosen = [=] {
      complete(*a);
      return run(a->options);
    };
  });
}

}  // namespace

void add_run_commands(CLI::App& app, Command& chosen) { add_run(app, chosen); }

}  // namespace freshet
