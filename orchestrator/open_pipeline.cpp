#include "orchestrator/open_pipeline.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "registry/registry.h"

namespace freshet {

namespace {

PipelineConfig choose_config(Workspace& workspace, const std::string& name,
                             const std::optional<PipelineConfig>& file) {
  const auto lock = workspace.use_registry();
  const std::optional<std::string> recorded = workspace.registry().config(name);
  if (!recorded) {
    if (!file) {
      throw Error(ErrorKind::not_found,
                  fmt::format("the workspace has no pipeline \"{}\": give its config file", name));
    }
    workspace.registry().set_config(name, write_config(*file));
    return *file;
  }
  PipelineConfig config = parse_config(*recorded, "recorded config");
  if (!file || *file == config) return config;
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

std::unique_ptr<RowStore> open_store(const Workspace& workspace, const PipelineConfig& config) {
  const FeatureSet features(config.schema, config.features);
  return RowStore::open(workspace.rows_path(config.pipeline),
                        {{features.identity(), features.width()}});
}

}  // namespace

std::string log_description(const PipelineConfig& config) {
  PipelineConfig plain;
  plain.pipeline = config.pipeline;
  plain.schema = config.schema;
  return write_config(plain);
}

OpenPipeline::OpenPipeline(Workspace& workspace, const std::string& name,
                           const std::optional<PipelineConfig>& file, const RunKnobs& knobs)
    : config(choose_config(workspace, name, file)),
      log(EventLog::open(workspace.log_path(name), log_description(config))),
      reader(EventLog::open_reader(workspace.log_path(name))),
      store(open_store(workspace, config)),
      learning(config, *store, workspace.rows_path(name)),
      journal(workspace, name, *store),
      pipeline(config, *reader, *store, learning, journal) {
  if (knobs.worker_delay) learning.delay_worker(*knobs.worker_delay);
  auto lock = workspace.use_registry();
  const std::optional<CheckpointRecord> checkpoint = workspace.registry().checkpoint(name);
  std::vector<CommandRecord> commands = workspace.registry().commands(name);
  lock.unlock();
  // Rows derive from the log: where they are lost (a power cut, a deleted file), so is the state.
  const bool rows_lost =
      checkpoint && (store->questions() < checkpoint->questions || store->rows() < checkpoint->row);
  if (rows_lost) {
    fmt::print(stderr, "{} does not reach its checkpoint: all is derived from the log again\n",
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
}

void OpenPipeline::command(Workspace& workspace, CommandRecord record) {
  // What was recorded is in force before anything new is.
  while (!pipeline.replayed() && pipeline.advance(log->head(), 1)) {
  }
  pipeline.drain();
  record.position = pipeline.position();
  record.wall_time = wall_clock_text();
  {
    const auto lock = workspace.use_registry();
    record.sequence = workspace.registry().commands(config.pipeline).size() + 1;
  }
  // One that is refused throws here and leaves nothing behind; once recorded it is replayed if the
  // checkpoint doesn't come to be.
  journal.settle();
  pipeline.apply(record);
  {
    const auto lock = workspace.use_registry();
    workspace.registry().add_command(config.pipeline, record);
  }
  pipeline.checkpoint();
  journal.settle();
}

}  // namespace freshet
