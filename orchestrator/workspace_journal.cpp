#include "orchestrator/workspace_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/outbox_mark.h"
#include "registry/decision_kinds.h"
#include "stream/error.h"
#include "stream/sha256.h"

namespace freshet {

std::string wall_clock_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return format_time(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

WorkspaceJournal::WorkspaceJournal(Workspace& workspace, std::string pipeline, EventLog& log,
                                   RowStore& store)
    : workspace_(workspace),
      pipeline_(std::move(pipeline)),
      log_(log),
      store_(store),
      thread_([this](const std::stop_token& stop) { write_loop(stop); }) {}

WorkspaceJournal::~WorkspaceJournal() { thread_.request_stop(); }

void WorkspaceJournal::commit(CheckpointRecord record) {
  const std::string wall = wall_clock_text();
  for (Decision& decision : record.decisions) decision.wall_time = wall;
  store_.flush();
  settle();
  const std::lock_guard lock(mutex_);
  committed_ = std::move(record);
  artifacts_.clear();
  for (auto& [sha256, bytes] : std::exchange(taken_, {})) artifacts_.push_back(std::move(bytes));
  changed_.notify_all();
}

// After a failure nothing more is written: the next start goes on from what is durable.
void WorkspaceJournal::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !committed_ || error_; });
  if (error_) std::rethrow_exception(error_);
}

void WorkspaceJournal::forget(std::uint64_t position, std::uint64_t question, std::uint64_t row) {
  log_.keep_from(position);
  store_.drop(question, row);
}

std::uint64_t WorkspaceJournal::published() {
  return read_outbox_mark(workspace_.outbox_path(pipeline_)).predictions;
}

void WorkspaceJournal::erase(const Erasure& erasure, const Schema& schema,
                             const VectorOf& vector_of) {
  log_.rewrite(log_rewrite(log_, schema, erasure, vector_of));
}

void WorkspaceJournal::write_loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return committed_ && !error_; })) {
    CheckpointRecord record = std::move(*committed_);
    lock.unlock();
    std::exception_ptr error;
    try {
      write(record, artifacts_);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    committed_.reset();
    changed_.notify_all();
  }
}

void WorkspaceJournal::write(CheckpointRecord& record, const std::vector<std::string>& artifacts) {
  std::map<std::string, Sha256> parts;
  for (const StatePart& part : record.parts) {
    parts[part.name].add(std::string_view(record.state).substr(part.begin, part.end - part.begin));
  }
  nlohmann::json hashes = nlohmann::json::object();
  for (auto& [name, hash] : parts) hashes[name] = hash.hex();
  record.fingerprint = hashes.dump();
  log_.sync();
  store_.sync();
  workspace_.artifacts().put_all(artifacts);
  const auto lock = workspace_.use_registry();
  workspace_.registry().commit(pipeline_, record);
}

std::string WorkspaceJournal::put_artifact(const std::string& bytes) {
  return taken_.emplace(sha256_hex(bytes), bytes).first->first;
}

std::string WorkspaceJournal::get_artifact(const std::string& sha256) {
  const auto taken = taken_.find(sha256);
  if (taken != taken_.end()) return taken->second;
  settle();
  return workspace_.artifacts().get(sha256);
}

std::vector<Revision> WorkspaceJournal::revisions(std::uint64_t version) {
  settle();
  const auto lock = workspace_.use_registry();
  return workspace_.registry().revisions(pipeline_, version);
}

std::vector<Decision> WorkspaceJournal::decisions() {
  settle();
  const auto lock = workspace_.use_registry();
  return workspace_.registry().decisions(pipeline_);
}

}  // namespace freshet
