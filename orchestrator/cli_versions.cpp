#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/stored_revision.h"
#include "stream/sha256.h"

namespace freshet {

using nlohmann::json;

namespace {

struct VersionArguments {
  std::string workspace;
  std::string pipeline;
  std::string revision;
  std::string other;
  std::string folder;
  bool dry_run = false;
  bool from_start = false;
  bool json = false;
};

int reproduce(const VersionArguments& a) {
  const RevisionName named = parse_revision(a.revision);
  Workspace workspace = read_workspace(a.workspace);
  StoredRevision revision(workspace, choose_pipeline(workspace.registry(), a.pipeline), named);
  const ReproducedRevision made = revision.reproduce(!a.from_start);
  const std::string sha256 = sha256_hex(made.artifact);
  const std::string& recorded = revision.recorded();
  const bool differs = !recorded.empty() && recorded != sha256;
  const StoredRevision::ErasedRows erased = revision.erased_rows();
  const bool partial = !erased.decisions.empty();
  if (a.json) {
    const json j{{"revision", revision.text()},
                 {"sha256", sha256},
                 {"recorded", recorded.empty() ? json() : json(recorded)},
                 {"same", recorded.empty() ? json() : json(!differs)},
                 {"learned_end", made.learned_end},
                 {"partial", partial},
                 {"erased_rows", erased.rows},
                 {"from", made.from}};
    fmt::print("{}\n", j.dump(2));
  } else {
    fmt::print("{} made from {}\nmade      {}\nrecorded  {}\n{}\n", revision.text(), made.from,
               sha256, recorded.empty() ? "nothing at this row" : recorded,
               recorded.empty()     ? "nothing to compare with"
               : differs && partial ? "they differ, as they must: it can be made again in part only"
               : differs            ? "they differ: another build or processor profile, or damage"
                                    : "the same, bit for bit");
  }
  if (partial && !a.json) {
    fmt::print(
        "partial: {} of the rows below {} were erased (decision{} {}), and what it learned "
        "of them cannot be learned again\n",
        erased.rows, revision.row(), erased.decisions.size() > 1 ? "s" : "",
        fmt::join(erased.decisions, ", "));
  }
  return differs && !partial ? kNegative : kDone;
}

int diff(const VersionArguments& a) {
  Workspace workspace = read_workspace(a.workspace);
  const json found =
      version_differences(workspace.registry(), choose_pipeline(workspace.registry(), a.pipeline),
                          parse_revision(a.revision).version, parse_revision(a.other).version);
  if (a.json) {
    fmt::print("{}\n", found.dump(2));
    return kDone;
  }
  for (const json& d : found) {
    fmt::print("{:<40} {} -> {}\n", d["path"].get<std::string>(), d["from"].dump(), d["to"].dump());
  }
  return kDone;
}

int export_revision(const VersionArguments& a) {
  const RevisionName named = parse_revision(a.revision);
  Workspace workspace = read_workspace(a.workspace);
  StoredRevision revision(workspace, choose_pipeline(workspace.registry(), a.pipeline), named);
  revision.export_to(a.folder);
  if (a.json) {
    fmt::print("{}\n", json{{"revision", revision.text()}, {"folder", a.folder}}.dump());
  } else {
    fmt::print("{}: wrote {}/weights.safetensors and {}/manifest.json\n", revision.text(), a.folder,
               a.folder);
  }
  return kDone;
}

int gc(const VersionArguments& a) {
  std::vector<LeftOver> found;
  {
    Workspace reader = read_workspace(a.workspace);
    found = reader.artifacts().left_over(reader.artifacts_in_use());
  }
  if (!a.dry_run) {
    // An owner alone may: what another process has just stored is named by nothing yet.
    Workspace owner = Workspace::open(a.workspace, Workspace::Mode::own);
    owner.artifacts().collect(owner.artifacts_in_use());
    const std::vector<std::string> kept = owner.artifacts().list();
    std::erase_if(found, [&](const LeftOver& file) {
      return std::binary_search(kept.begin(), kept.end(), file.name);
    });
  }
  std::uint64_t bytes = 0;
  json names = json::array();
  for (const LeftOver& file : found) {
    bytes += file.size_bytes;
    names.push_back({{"name", file.name}, {"bytes", file.size_bytes}});
  }
  if (a.json) {
    fmt::print("{}\n", json{{"files", names}, {"bytes", bytes}, {"collected", !a.dry_run}}.dump(2));
    return kDone;
  }
  for (const LeftOver& file : found) fmt::print("{}  {} bytes\n", file.name, file.size_bytes);
  fmt::print("{} files, {} bytes {}\n", found.size(), bytes,
             a.dry_run ? "would be collected" : "collected");
  return kDone;
}

}  // namespace

void add_version_commands(CLI::App& registry, Command& chosen) {
  const auto add = [&](const char* name, const char* about, auto run) {
    auto* sub = registry.add_subcommand(name, about);
    const auto a = std::make_shared<VersionArguments>();
    sub->add_option("-w,--workspace", a->workspace, "The workspace's folder")->required();
    sub->add_option("-p,--pipeline", a->pipeline, "Which pipeline, if there are several");
    sub->add_flag("--json", a->json, "As JSON");
    sub->callback([=, &chosen] { chosen = [=] { return run(*a); }; });
    return std::pair{sub, a};
  };
  const auto [reproduce_sub, reproduce_args] =
      add("reproduce",
          "Makes a version's weights again from its lineage and compares them with what is "
          "recorded; exit code 3 if they differ, but for those that learned from events that were "
          "erased: they can be made again in part only",
          reproduce);
  reproduce_sub
      ->add_option("revision", reproduce_args->revision,
                   "The version, or its revision at a row as 12@34560 (default: its last)")
      ->required();
  reproduce_sub->add_flag("--from-start", reproduce_args->from_start,
                          "By lineage alone, not from the anchor before the row");
  const auto [diff_sub, diff_args] =
      add("diff", "In what two versions differ: lineage, recipe, rows, evidence", diff);
  diff_sub->add_option("from", diff_args->revision, "A version")->required();
  diff_sub->add_option("to", diff_args->other, "Another")->required();
  const auto [export_sub, export_args] =
      add("export", "Writes a revision's weights (safetensors) and how they were made",
          export_revision);
  export_sub->add_option("revision", export_args->revision, "As in reproduce")->required();
  export_sub->add_option("--to", export_args->folder, "The folder; nothing in it is overwritten")
      ->required();
  const auto [gc_sub, gc_args] =
      add("gc", "Deletes artifacts that no revision names, and files left half written", gc);
  gc_sub->add_flag("--dry-run", gc_args->dry_run, "Only tells what would be deleted");
}

}  // namespace freshet
