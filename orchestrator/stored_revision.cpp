#include "orchestrator/stored_revision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "orchestrator/command_support.h"
#include "orchestrator/erasure_json.h"
#include "orchestrator/feature_sets.h"
#include "orchestrator/registry_json.h"
#include "stream/error.h"
#include "stream/sha256.h"
#include "stream/whole_file.h"

namespace freshet {

using nlohmann::json;

namespace {

namespace fs = std::filesystem;

constexpr mode_t kForAll = 0666;  // as far as the umask lets

/// The model's own description, which stands in the weights' header.
json model_of(std::string_view weights) {
  std::uint64_t size = 0;
  std::memcpy(&size, weights.data(), sizeof size);
  const json header = json::parse(weights.substr(sizeof size, size));
  return json::parse(header.at("__metadata__").at("freshet").get<std::string>());
}

}  // namespace

StoredRevision::StoredRevision(Workspace& workspace, std::string pipeline, const RevisionName& name)
    : workspace_(workspace),
      pipeline_(std::move(pipeline)),
      config_(recorded_config(workspace.registry(), pipeline_)),
      version_(workspace.registry().version(pipeline_, name.version)),
      store_(RowStore::open_reader(workspace.rows_path(pipeline_))) {
  const bool candidate = version_.lineage.kind != "learner";
  const auto revisions = workspace.registry().revisions(pipeline_, version_.number);
  std::optional<std::uint64_t> last;
  for (const Revision& revision : revisions) {
    if (!revision.artifact.empty()) last = std::max(last.value_or(0), revision.row);
  }
  const std::uint64_t own =
      candidate ? version_.lineage.rows_end : last_revision_row(version_, store_->rows());
  row_ = name.row.value_or(last.value_or(own));
  const bool as_trained = candidate && row_ == version_.lineage.rows_end;
  if (!as_trained) require_revision(version_, row_, store_->rows());
  for (const Revision& revision : revisions) {
    if (revision.row == row_) recorded_ = revision.artifact;
  }
}

std::string StoredRevision::text() const { return fmt::format("{}@{}", version_.number, row_); }

ReproducedRevision StoredRevision::reproduce(bool anchors) {
  const VersionHistory history{
      [this](std::uint64_t v) { return workspace_.registry().version(pipeline_, v); },
      [this](std::uint64_t v) { return workspace_.registry().revisions(pipeline_, v); },
      [this](const std::string& sha256) { return workspace_.artifacts().get(sha256); }};
  return Reproduction(config_, *store_, history).revision(version_.number, row_, anchors);
}

StoredRevision::ErasedRows StoredRevision::erased_rows() {
  ErasedRows erased;
  const std::vector<CommandRecord> commands = workspace_.registry().commands(pipeline_);
  std::vector<std::uint64_t> positions;
  for (const Decision& decision : workspace_.registry().decisions(pipeline_)) {
    if (!erased_below(decision, row_)) continue;
    erased.decisions.push_back(decision.sequence);
    const json by = json::parse(decision.figures).at("command");
    for (const CommandRecord& command : commands) {
      if (command.kind != "erase" || command.sequence != by) continue;
      const auto more = parse_erasure(command.arguments).erasure.positions();
      positions.insert(positions.end(), more.begin(), more.end());
    }
  }
  std::sort(positions.begin(), positions.end());
  erased.rows =
      rows_of(*store_, questions_at(*store_, positions), std::min(row_, store_->rows())).size();
  return erased;
}

std::string StoredRevision::weights() {
  if (!recorded_.empty()) return workspace_.artifacts().get(recorded_);
  refuse_revision_of_erased(workspace_.registry().decisions(pipeline_), text(), row_);
  return reproduce(true).artifact;
}

json StoredRevision::manifest(const std::string& weights) const {
  const json version = version_json(workspace_.registry(), pipeline_, version_.number);
  const Recipe recipe = parse_recipe(version_.lineage.recipe, config_);
  PipelineConfig own = config_;
  own.features = features_of(config_, recipe);
  const json config = json::parse(write_config(config_));
  const json features = json::parse(write_config(own))["features"];
  return {{"pipeline", pipeline_},
          {"revision", text()},
          {"sha256", sha256_hex(weights)},
          {"kind", version["kind"]},
          {"recipe", version["recipe"]},
          {"lineage", version["lineage"]},
          {"learned_rows", {version_.lineage.rows_begin, learned_end(version_, recipe, row_)}},
          {"model", model_of(weights)},
          {"task", config["task"]},
          {"label", config["stream"]["label"]},
          {"features", features},
          {"config_hash", config_hash(config_)},
          {"evaluations", version["evaluations"]}};
}

void StoredRevision::export_to(const std::string& folder) {
  std::error_code error;
  const std::string weights_path = folder + "/weights.safetensors";
  const std::string manifest_path = folder + "/manifest.json";
  for (const std::string& path : {weights_path, manifest_path}) {
    if (fs::exists(path, error)) {
      throw Error(ErrorKind::conflict,
                  fmt::format("{} is there already: choose another folder", path));
    }
  }
  const std::string bytes = weights();
  const std::string text = manifest(bytes).dump(2) + "\n";
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::unavailable,
                fmt::format("{}: cannot be made: {}", folder, error.message()));
  }
  write_whole_file(weights_path, bytes, kForAll);
  write_whole_file(manifest_path, text, kForAll);
}

}  // namespace freshet
