#include "orchestrator/open_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/config_recorded.h"
#include "orchestrator/feature_sets.h"
#include "orchestrator/terminal.h"
#include "registry/registry.h"
#include "stream/utf8.h"

namespace freshet {

namespace {

constexpr std::size_t kSegments = 16;

/// The applied configs, oldest first: what each took the place of, and itself.
struct AppliedConfig {
  nlohmann::json before;
  nlohmann::json config;
};

std::vector<AppliedConfig> applied_configs(const Registry& registry, const std::string& name) {
  std::vector<AppliedConfig> applied;
  for (const CommandRecord& command : registry.commands(name)) {
    if (command.kind != "apply") continue;
    const auto arguments = nlohmann::json::parse(command.arguments);
    applied.push_back({arguments.at("before"), arguments.at("config")});
  }
  return applied;
}

/// A process may have died between recording a command and the config it applies.
void catch_up_config(Registry& registry, const std::string& name) {
  const std::vector<AppliedConfig> applied = applied_configs(registry, name);
  if (applied.empty()) return;
  const std::string newest =
      write_config(parse_recorded_config(applied.back().config.dump(), "applied config"));
  if (registry.config(name) != newest) registry.set_config(name, newest);
}

PipelineConfig choose_config(Workspace& workspace, const std::string& name,
                             const std::optional<PipelineConfig>& file) {
  const auto lock = workspace.use_registry();
  if (workspace.registry().config(name)) catch_up_config(workspace.registry(), name);
  const std::optional<std::string> recorded = workspace.registry().config(name);
  if (!recorded) {
    if (!file) {
      throw Error(ErrorKind::not_found,
                  fmt::format("the workspace has no pipeline \"{}\": give its config file", name));
    }
    workspace.registry().set_config(name, write_config(*file));
    return *file;
  }
  PipelineConfig config = parse_recorded_config(*recorded, "recorded config");
  if (!file || *file == config) return config;
  for (const AppliedConfig& applied : applied_configs(workspace.registry(), name)) {
    if (parse_recorded_config(applied.before.dump(), "recorded config") != *file) continue;
    say("pipeline {}: the config file is the one from before a policy change; going on with "
        "the recorded config (freshet pipeline show)\n",
        name);
    return config;
  }
  std::string message = fmt::format(
      "the workspace was made with another config of pipeline \"{}\"; it differs in:\n", name);
  for (const ConfigDifference& difference : differences(config, *file)) {
    message += fmt::format("  {}: {} recorded, {} given ({})\n", difference.path, difference.from,
                           difference.to, difference.means);
  }
  message +=
      "run without a config to go on with the recorded one, use another --workspace, or record the "
      "change: freshet pipeline apply CONFIG --workspace W --reason …";
  throw Error(ErrorKind::conflict, message);
}

bool any_erases(const std::vector<CommandRecord>& commands) {
  return std::any_of(commands.begin(), commands.end(),
                     [](const CommandRecord& command) { return command.kind == "erase"; });
}

/// Readers hold the write-ahead file for moments only; a backup longer.
bool emptied_soon(EventLog& log) {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    if (log.empty_write_ahead()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

PipelineConfig starting_config(const Workspace& workspace, const std::string& name) {
  const auto lock = workspace.use_registry();
  return first_config(workspace.registry(), name);
}

std::unique_ptr<RowStore> open_store(const Workspace& workspace, const PipelineConfig& config) {
  return RowStore::open(workspace.rows_path(config.pipeline), FeatureSets(config).columns());
}

}  // namespace

PipelineConfig first_config(const Registry& registry, const std::string& name) {
  const std::vector<AppliedConfig> applied = applied_configs(registry, name);
  return parse_recorded_config(
      applied.empty() ? registry.config(name).value() : applied.front().before.dump(),
      "recorded config");
}

std::string log_description(const PipelineConfig& config) {
  PipelineConfig plain;
  plain.pipeline = config.pipeline;
  plain.schema = config.schema;
  return write_config(plain);
}

OpenPipeline::OpenPipeline(Workspace& workspace, const std::string& name,
                           const std::optional<PipelineConfig>& file, const RunKnobs& knobs)
    : config(choose_config(workspace, name, file)),
      first(starting_config(workspace, name)),
      log(EventLog::open(workspace.log_path(name), log_description(config),
                         config.sync_each_batch ? LogSync::each_append : LogSync::when_asked)),
      reader(EventLog::open_reader(workspace.log_path(name))),
      store(open_store(workspace, first)),
      learning(first, *store, workspace.rows_path(name)),
      journal(workspace, name, *log, *store),
      pipeline(first, *reader, *store, learning, journal) {
  if (knobs.worker_delay) learning.delay_worker(*knobs.worker_delay);
  learning.tell(knobs.times);
  auto lock = workspace.use_registry();
  const std::optional<CheckpointRecord> checkpoint = workspace.registry().checkpoint(name);
  std::vector<CommandRecord> commands = workspace.registry().commands(name);
  lock.unlock();
  // Rows derive from the log: where they are lost (a power cut, a deleted file), so is the state.
  const bool rows_lost =
      checkpoint && (store->questions() < checkpoint->questions || store->rows() < checkpoint->row);
  if ((!checkpoint || rows_lost) && log->begin() > 0) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{} does not reach its checkpoint, and cannot be derived again from a "
                            "log that begins at position {} (stream.keep): restore a backup",
                            workspace.rows_path(name), log->begin()));
  }
  if (rows_lost && any_erases(commands)) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{} does not reach its checkpoint, and cannot be derived again as it "
                            "was from a log from which events were erased: restore a backup, then "
                            "erase them there",
                            workspace.rows_path(name)));
  }
  if (rows_lost) {
    say("{} does not reach its checkpoint: all is derived from the log again\n",
        workspace.rows_path(name));
  }
  if (!checkpoint || rows_lost) {
    store->cut(0, 0);
    pipeline.begin();
    pipeline.replay(std::move(commands));
    return;
  }
  if (checkpoint->position > log->head()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the log of pipeline \"{}\" ends at position {}, before its last "
                            "checkpoint at {}: the log was cut or replaced",
                            name, log->head(), checkpoint->position));
  }
  store->cut(checkpoint->questions, checkpoint->row);
  pipeline.load(*checkpoint);
  pipeline.replay(std::move(commands));
  // A command that was under way comes first: an erasure must not run beside who reads the log to
  // know the ids in it.
  pipeline.advance(checkpoint->position, 1);
}

bool was_erased_from(const Registry& registry, const std::string& name) {
  return any_erases(registry.commands(name));
}

std::string checked_reason(const std::string& text) {
  constexpr std::ptrdiff_t kMostCharacters = 1000;
  const auto begin = text.find_first_not_of(" \t\r\n");
  const std::string reason = begin == std::string::npos
                                 ? ""
                                 : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
  const auto control = std::find_if(reason.begin(), reason.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  const auto defect = utf8_defect(reason);
  const auto characters = std::count_if(reason.begin(), reason.end(), begins_character);
  if (reason.empty() || characters > kMostCharacters || defect || control != reason.end()) {
    throw Error(ErrorKind::invalid,
                fmt::format("the reason {}: expected one line of text, 1 to {} characters of UTF-8",
                            reason.empty()                 ? "is empty"
                            : defect                       ? "has " + *defect
                            : characters > kMostCharacters ? "is too long"
                                                           : "has control characters",
                            kMostCharacters));
  }
  return reason;
}

void OpenPipeline::command(Workspace& workspace, CommandRecord record,
                           std::optional<std::uint64_t> expected_champion) {
  record.reason = checked_reason(record.reason);
  // What was recorded is in force before anything new is.
  while (!pipeline.replayed() && pipeline.advance(log->head(), 1)) {
  }
  pipeline.drain();
  const ServedRevision* champion = pipeline.champion();
  const std::uint64_t version = champion == nullptr ? 0 : champion->version;
  if (expected_champion && *expected_champion != version) {
    throw Error(ErrorKind::conflict,
                fmt::format("the champion is version {} now, not {}: look again and decide anew",
                            version, *expected_champion));
  }
  record.position = pipeline.position();
  record.wall_time = wall_clock_text();
  {
    const auto lock = workspace.use_registry();
    record.sequence = workspace.registry().commands(config.pipeline).size() + 1;
  }
  // One that is refused throws here and leaves nothing behind; once recorded it is replayed if the
  // checkpoint doesn't come to be.
  journal.settle();
  log->sync();
  record = pipeline.resolved(std::move(record));
  pipeline.apply(record);
  {
    const auto lock = workspace.use_registry();
    workspace.registry().add_command(config.pipeline, record);
  }
  pipeline.checkpoint();
  journal.settle();
  if (record.kind == "apply") {
    const auto lock = workspace.use_registry();
    workspace.registry().set_config(config.pipeline, write_config(pipeline.config()));
  }
}

// Recorded first: whatever dies from then on, the command is found and done again at the checkpoint
// before it, which older ones must not be gone on from: they would derive other rows than were.
Erased OpenPipeline::erase(Workspace& workspace, const EraseRequest& request) {
  CommandRecord record;
  record.kind = "erase";
  if (!request.dry_run) record.reason = checked_reason(request.reason);
  const ErasureKey key = parse_erasure_key(request.key, config.schema);
  const std::uint64_t head = log->head();
  while (pipeline.advance(head, kSegments)) {
  }
  pipeline.drain();
  record.position = pipeline.position();
  record.sequence = [&] {
    const auto lock = workspace.use_registry();
    return workspace.registry().commands(config.pipeline).size() + 1;
  }();
  const auto whole_log = EventLog::open_reader(workspace.log_path(config.pipeline));
  const Erasure erasure = find_erasure(*whole_log, config.schema, key, record.position);
  Erased erased;
  erased.figures = erasure_figures(erasure, record.sequence, *store, pipeline.rows());
  if (request.dry_run || erasure.empty()) return erased;
  pipeline.checkpoint(true);
  journal.settle();
  record.arguments = erasure_arguments(erasure, erased.figures);
  record.wall_time = wall_clock_text();
  {
    const auto lock = workspace.use_registry();
    workspace.registry().add_command(config.pipeline, record);
  }
  try {
    erased.decision = pipeline.erase(record);
    pipeline.checkpoint();
    journal.settle();
  } catch (const std::exception& error) {
    throw Error(ErrorKind::unavailable,
                fmt::format("the erase command was recorded and broke off: {}; the next start does "
                            "it again",
                            error.what()));
  }
  if (!emptied_soon(*log)) {
    erased.warning = fmt::format(
        "a program that reads the log keeps erased bytes in {}-wal; they go once it is done, or "
        "as the log is closed",
        workspace.log_path(config.pipeline));
  }
  return erased;
}

void OpenPipeline::apply_config(Workspace& workspace, const PipelineConfig& next,
                                const std::string& reason) {
  if (next == pipeline.config()) {
    throw Error(ErrorKind::conflict, "nothing differs from the recorded config");
  }
  CommandRecord record;
  record.kind = "apply";
  record.arguments = nlohmann::json{{"config", nlohmann::json::parse(write_config(next))}}.dump();
  record.reason = reason;
  command(workspace, std::move(record));
}

}  // namespace freshet
