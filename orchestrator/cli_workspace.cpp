#include <fmt/format.h>

#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/disk_use.h"
#include "orchestrator/verify.h"
#include "orchestrator/workspace_copy.h"
#include "stream/error.h"

namespace freshet {

using nlohmann::json;

namespace {

struct WorkspaceArguments {
  std::string workspace;
  std::string folder;
  bool json = false;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

json reach_json(const std::vector<PipelineReach>& pipelines) {
  json list = json::array();
  for (const PipelineReach& reach : pipelines) {
    list.push_back({{"pipeline", reach.pipeline},
                    {"head", reach.head},
                    {"position", reach.position},
                    {"row", reach.row},
                    {"questions", reach.questions}});
  }
  return list;
}

void print_reach(const std::vector<PipelineReach>& pipelines) {
  for (const PipelineReach& reach : pipelines) {
    fmt::print("pipeline {}: log up to position {}, checkpoint at position {}, row {}\n",
               reach.pipeline, reach.head, reach.position, reach.row);
  }
}

json report_json(const WorkspaceReport& report, const DiskUse& use, const std::string& warning) {
  json files = json::array();
  for (const auto& part : report.parts) {
    files.push_back({{"file", part.file}, {"bytes", part.size_bytes}, {"holds", part.holds}});
  }
  json damage = json::array();
  for (const Damage& one : report.damage) {
    damage.push_back({{"file", one.file}, {"what", one.what}, {"advice", one.advice}});
  }
  return {{"whole", report.damage.empty()},
          {"damage", std::move(damage)},
          {"notes", report.notes},
          {"files", std::move(files)},
          {"pipelines", reach_json(report.pipelines)},
          {"disk",
           {{"bytes", use.bytes},
            {"total_bytes", use.total()},
            {"free_bytes", use.free_bytes},
            {"warning", warning.empty() ? json() : json(warning)}}}};
}

void print_report(const WorkspaceReport& report, const DiskUse& use, const std::string& warning) {
  for (const auto& part : report.parts) {
    fmt::print("{:<36} {:>10}  {}\n", part.file, size_text(part.size_bytes), part.holds);
  }
  print_reach(report.pipelines);
  fmt::print("{} on disk, {} free\n", size_text(use.total()), size_text(use.free_bytes));
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
  if (!warning.empty()) fmt::print("warning: {}\n", warning);
  for (const Damage& damage : report.damage) {
    fmt::print("DAMAGED {}: {}\n  {}\n", damage.file, damage.what, damage.advice);
  }
  if (report.damage.empty()) fmt::print("all is whole\n");
}

int check(const WorkspaceArguments& a) {
  const Stopwatch watch;
  const WorkspaceReport report = verify_workspace(a.workspace);
  const DiskUse use = disk_use(a.workspace);
  const std::string warning = room_warning(a.workspace, use, 0);
  if (a.json) {
    json j = report_json(report, use, warning);
    j["seconds"] = watch.seconds();
    fmt::print("{}\n", j.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_report(report, use, warning);
  }
  return report.damage.empty() ? kDone : kNegative;
}

json copy_json(const WorkspaceCopy& copy, const std::string& from, const std::string& to,
               double seconds) {
  return {{"from", from},
          {"to", to},
          {"bytes", copy.size_bytes},
          {"artifacts", copy.artifacts},
          {"tokens", copy.tokens},
          {"pipelines", reach_json(copy.pipelines)},
          {"seconds", seconds}};
}

/// Copies `from` to `to` and says so, with `more` about the copy after it.
template <class More>
int copy_and_say(const WorkspaceArguments& a, const std::string& from, const std::string& to,
                 const More& more) {
  const Stopwatch watch;
  const WorkspaceCopy copy = copy_workspace(from, to);
  if (a.json) {
    fmt::print("{}\n", copy_json(copy, from, to, watch.seconds()).dump(2));
    return kDone;
  }
  print_reach(copy.pipelines);
  fmt::print("{} in {}: copied and verified in {:.1f} s{}\n", size_text(copy.size_bytes), to,
             watch.seconds(), more(copy));
  return kDone;
}

int backup(const WorkspaceArguments& a) {
  return copy_and_say(a, a.workspace, a.folder, [](const WorkspaceCopy& copy) {
    return copy.tokens ? "; the tokens are in it: keep it as you keep them" : "";
  });
}

int restore(const WorkspaceArguments& a) {
  return copy_and_say(a, a.folder, a.workspace, [&](const WorkspaceCopy&) {
    return fmt::format(
        "\nto go on: the command that ran the workspace, with --workspace {}; its inputs are read "
        "on from where the backup had read them (members of a Kafka group: name another group, or "
        "what was read since is passed over)",
        a.workspace);
  });
}

}  // namespace

void add_workspace_commands(CLI::App& app, Command& chosen) {
  auto* workspace = app.add_subcommand("workspace", "A workspace whole: check, backup, restore");
  workspace->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, int (*run)(const WorkspaceArguments&)) {
    auto* sub = workspace->add_subcommand(name, about);
    const auto a = std::make_shared<WorkspaceArguments>();
    sub->add_flag("--json", a->json, "As JSON");
    sub->callback([=, &chosen] { chosen = [=] { return run(*a); }; });
    return std::pair{sub, a};
  };
  const auto add_workspace = [](CLI::App& sub, WorkspaceArguments& a, const char* about) {
    sub.add_option("-w,--workspace", a.workspace, about)->required();
  };
  const auto [check_sub, check_args] =
      add("check",
          "Reads every file against its hashes, beside whoever runs the workspace; exit code 3 if "
          "something is damaged",
          check);
  add_workspace(*check_sub, *check_args, "The workspace's folder");
  const auto [backup_sub, backup_args] =
      add("backup", "Copies the workspace while it runs, with its tokens, and verifies the copy",
          backup);
  add_workspace(*backup_sub, *backup_args, "The workspace's folder");
  backup_sub
      ->add_option("--to", backup_args->folder,
                   "The backup's folder: empty, or not there; it appears once it is whole")
      ->required();
  const auto [restore_sub, restore_args] =
      add("restore", "Makes a workspace of a backup, after verifying it", restore);
  restore_sub->add_option("--from", restore_args->folder, "The backup's folder")->required();
  add_workspace(*restore_sub, *restore_args, "The new workspace's folder: empty, or not there");
}

}  // namespace freshet
