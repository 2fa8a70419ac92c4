#include <fmt/format.h>

#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/reproduce.h"
#include "orchestrator/summary.h"
#include "orchestrator/verify.h"

namespace freshet {

using nlohmann::json;

namespace {

struct RegistryArguments {
  OwnerAddress owner;
  std::string pipeline;
  std::uint64_t version = 0;
  std::string revision;  ///< V or V@ROW
  std::string reason;
  std::string at;
  bool parts = false;
  bool json = false;
};

struct Opened {
  explicit Opened(const RegistryArguments& a)
      : workspace(read_workspace(a.owner.workspace)),
        name(choose_pipeline(workspace.registry(), a.pipeline)) {}

  Registry& registry() { return workspace.registry(); }

  Workspace workspace;
  std::string name;
};

int list(const RegistryArguments& a) {
  Opened opened(a);
  const json versions = versions_json(opened.registry(), opened.name);
  fmt::print("{}", a.json ? json_text(versions, 2) + "\n" : versions_text(versions));
  return kDone;
}

int show(const RegistryArguments& a) {
  Opened opened(a);
  const json version = version_json(opened.registry(), opened.name, a.version);
  fmt::print("{}\n", a.json ? json_text(version, 2) : version_text_for_people(version));
  return kDone;
}

int history(const RegistryArguments& a) {
  Opened opened(a);
  if (a.at.empty()) {
    for (const Decision& decision : opened.registry().decisions(opened.name)) {
      fmt::print("{}\n", a.json ? json_text(decision_json(decision)) : decision_line(decision));
    }
    return kDone;
  }
  const std::optional<Millis> time = parse_time(a.at);
  if (!time) {
    throw Error(ErrorKind::invalid,
                fmt::format("--at {}: not a time; write RFC 3339, as 2018-04-01T12:00:00Z", a.at));
  }
  const std::optional<Decision> live = opened.registry().live_at(opened.name, *time);
  if (!live) {
    fmt::print("{}\n", a.json ? std::string("null") : "nothing was live at " + format_time(*time));
    return kNegative;
  }
  if (a.json) {
    fmt::print("{}\n", json_text(decision_json(*live), 2));
  } else {
    fmt::print("live at {}: version {} (since {}, {}@{})\nwhy: {}: {}\n", format_time(*time),
               live->to_version, format_time(live->time), live->to_version, live->to_row,
               live->kind, live->reason);
  }
  return kDone;
}

int command(const RegistryArguments& a, const std::string& kind, const FindOwner& find_owner) {
  OperatorCommand command{a.owner, a.pipeline, {}};
  json arguments{{"version", a.version}};
  if (!a.revision.empty()) {
    const RevisionName named = parse_revision(a.revision);
    arguments["version"] = named.version;
    if (named.row) arguments["row"] = *named.row;
  }
  command.record.kind = kind;
  command.record.arguments = arguments.dump();
  command.record.reason = a.reason;
  for (const Decision& decision : give_command(command, find_owner)) {
    fmt::print("{}\n", a.json ? json_text(decision_json(decision)) : decision_line(decision));
  }
  return kDone;
}

int verify(const RegistryArguments& a) {
  Opened opened(a);
  std::vector<std::string> damage;
  for (const Damage& one : verify_pipeline(opened.workspace, opened.name)) {
    damage.push_back(damage_text(one));
  }
  if (a.json) {
    fmt::print("{}\n", json{{"damage", damage}, {"whole", damage.empty()}}.dump(2));
  } else {
    for (const std::string& line : damage) fmt::print("{}\n", line);
    if (damage.empty())
      fmt::print("all artifacts, log batches and row chunks match their hashes\n");
  }
  return damage.empty() ? kDone : kNegative;
}

int print_fingerprint(const RegistryArguments& a) {
  Opened opened(a);
  const auto log = EventLog::open_reader(opened.workspace.log_path(opened.name));
  const auto store = RowStore::open_reader(opened.workspace.rows_path(opened.name));
  const json parts = fingerprint(opened.registry(), opened.name, *log, *store);
  if (a.json) {
    fmt::print("{}\n", a.parts ? parts.dump(2) : json{parts["fingerprint"]}.at(0).dump());
  } else if (a.parts) {
    for (const auto& [part, hash] : parts.items()) {
      fmt::print("{:<18} {}\n", part, hash.get<std::string>());
    }
  } else {
    fmt::print("{}\n", parts["fingerprint"].get<std::string>());
  }
  return kDone;
}

}  // namespace

void add_registry_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner) {
  auto* registry = app.add_subcommand("registry", "Versions, decisions, and what is live");
  registry->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, auto run, bool steers = false) {
    auto* sub = registry->add_subcommand(name, about);
    const auto a = std::make_shared<RegistryArguments>();
    if (steers) {
      add_owner_options(*sub, a->owner);
    } else {
      sub->add_option("-w,--workspace", a->owner.workspace, "The workspace's folder")->required();
    }
    sub->add_option("-p,--pipeline", a->pipeline, "Which pipeline, if there are several");
    sub->add_flag("--json", a->json, "As JSON");
    sub->callback([=, &chosen] { chosen = [=] { return run(*a); }; });
    return std::pair{sub, a};
  };
  add("list", "Versions, newest last", list);
  const auto [show_sub, show_args] = add("show", "One version: lineage, revisions, evidence", show);
  const auto add_version = [](CLI::App& sub, RegistryArguments& a) {
    sub.add_option("version", a.version, "The version's number")
        ->required()
        ->check(check_version_number);
  };
  add_version(*show_sub, *show_args);
  const auto [history_sub, history_args] = add("history", "All decisions, oldest first", history);
  history_sub->add_option("--at", history_args->at, "What was live at this event time, and why");
  for (const std::string kind : {"promote", "approve", "rollback"}) {
    const char* about = kind == "promote"   ? "Makes a learner or candidate the champion"
                        : kind == "approve" ? "Promotes a candidate that waits for approval"
                                            : "Goes back to a version's last revision, or to a "
                                              "named one, frozen: refresh and automatic promotion "
                                              "pause until resumed";
    const auto [sub, args] = add(
        kind.c_str(), about,
        [kind, find_owner](const RegistryArguments& a) { return command(a, kind, find_owner); },
        true);
    if (kind == "rollback") {
      sub->add_option("revision,--to", args->revision,
                      "The version, or its revision at a row as 12@34560; one that is not stored "
                      "is learned again (default: the previous version)");
    } else {
      add_version(*sub, *args);
    }
    sub->add_option("--reason", args->reason, "Why, for the record")->required();
  }
  add_version_commands(*registry, chosen);
  add("verify", "Checks every stored hash; exit code 3 if something is damaged", verify);
  const auto [finger_sub, finger_args] =
      add("fingerprint", "One sha256 over all state, wall clock left out", print_fingerprint);
  finger_sub->add_flag("--parts", finger_args->parts, "Each part by itself");
}

}  // namespace freshet
