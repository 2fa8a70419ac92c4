#pragma once

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/journal.h"
#include "orchestrator/workspace.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {

/// A journal in a workspace's registry and artifact store. What is committed is written by a
/// thread of its own while the pipeline goes on, one commit at a time: the next one waits for it.
/// It uses the registry within `use_registry`.
class WorkspaceJournal : public Journal {
 public:
  WorkspaceJournal(Workspace& workspace, std::string pipeline, EventLog& log, RowStore& store);
  /// Finishes what was committed; what it meets then is lost with it: settle before.
  ~WorkspaceJournal() override;

  void commit(CheckpointRecord record) override;
  void settle() override;
  void forget(std::uint64_t position, std::uint64_t question, std::uint64_t row) override;
  std::uint64_t published() override;
  void erase(const Erasure& erasure, const Schema& schema, const VectorOf& vector_of) override;
  std::string put_artifact(const std::string& bytes) override;
  std::string get_artifact(const std::string& sha256) override;
  std::vector<Revision> revisions(std::uint64_t version) override;
  std::vector<Decision> decisions() override;

 private:
  void write_loop(const std::stop_token& stop);
  void write(CheckpointRecord& record, const std::vector<std::string>& artifacts);

  Workspace& workspace_;
  const std::string pipeline_;
  EventLog& log_;
  RowStore& store_;
  std::map<std::string, std::string> taken_;  ///< artifacts for the next commit, by sha256

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<CheckpointRecord> committed_;  ///< under mutex_: being written
  std::vector<std::string> artifacts_;         ///< under mutex_: stored before `committed_`
  std::exception_ptr error_;                   ///< under mutex_
  std::jthread thread_;                        // last: stops before what it uses goes
};

/// The clock's time, for people only: no decision reads it.
std::string wall_clock_text();

}  // namespace freshet
