#pragma once

#include <memory>
#include <optional>
#include <string>

#include "orchestrator/config.h"
#include "orchestrator/erasure_json.h"
#include "orchestrator/learning_thread.h"
#include "orchestrator/pipeline.h"
#include "orchestrator/work_times.h"
#include "orchestrator/workspace.h"
#include "orchestrator/workspace_journal.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {

/// What a run may change about how it works, never about what comes out.
struct RunKnobs {
  std::size_t read_chunk = 4096;              ///< records polled at a time
  std::optional<std::uint64_t> worker_delay;  ///< seed of random delays in the worker
  WorkTimes* times = nullptr;                 ///< told how long learning takes; must outlive it
};

/// A pipeline of an owned workspace with all it needs, at its last checkpoint, ready to go on.
/// Members are used directly; it only sees to the order in which they open and close.
class OpenPipeline {
 public:
  /// Opens the pipeline; its config is the recorded one, or `file` where there is none yet (which
  /// is then recorded). Throws Error{conflict} naming the differences when `file` differs from the
  /// recorded config, Error{not_found} when there is neither.
  OpenPipeline(Workspace& workspace, const std::string& name,
               const std::optional<PipelineConfig>& file, const RunKnobs& knobs);

  /// An operator's command: takes effect at the pipeline's position, durable on return. Throws as
  /// Pipeline's commands do, with nothing changed.
  /// `expected_champion`: Error{conflict} unless this version is the champion there (0: none is).
  void command(Workspace& workspace, CommandRecord record,
               std::optional<std::uint64_t> expected_champion = std::nullopt);
  /// Puts `next` in force in place of the config that is, as such a command: a decision that says
  /// what differs and why, and Pipeline::apply_config. Throws Error{conflict} when nothing differs,
  /// or naming what cannot change in a workspace and how to go on; nothing has changed then.
  void apply_config(Workspace& workspace, const PipelineConfig& next, const std::string& reason);

  /// Goes through the log as it stands, then erases from it and the rows what the key tells, as
  /// such a command. Nothing is recorded where nothing matches. Throws Error{invalid} for a key or
  /// reason that is none, with nothing recorded. Any error after that is Error{unavailable} or
  /// {corrupt}: this pipeline must not go on, and the next start does it again.
  Erased erase(Workspace& workspace, const EraseRequest& request);

  const PipelineConfig config;          ///< the newest one recorded; pipeline.config() is in force
  const PipelineConfig first;           ///< what it began with: what its rows are made of
  const std::unique_ptr<EventLog> log;  ///< the writer
  const std::unique_ptr<EventLog> reader;  ///< the pipeline thread's
  const std::unique_ptr<RowStore> store;
  LearningThread learning;
  WorkspaceJournal journal;
  Pipeline pipeline;
};

/// Whether events were erased from a pipeline's log: it no longer tells how all of it came to be.
bool was_erased_from(const Registry& registry, const std::string& name);

/// The config that a pipeline began with, before any was applied.
PipelineConfig first_config(const Registry& registry, const std::string& name);

/// A command's reason without blanks at its ends. Throws Error{invalid} unless it is one line of 1
/// to 4,000 bytes of UTF-8.
std::string checked_reason(const std::string& text);

/// What makes two logs incompatible, as text: the schema and the tick.
std::string log_description(const PipelineConfig& config);

}  // namespace freshet
