#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/journal.h"
#include "stream/error.h"
#include "stream/event_log.h"

namespace freshet {

/// A log in memory: records only, no ingestion's side outputs. Used by one thread.
class MemoryLog : public EventLog {
 public:
  std::uint64_t begin() const override { return 0; }
  void keep_from(std::uint64_t /*position*/) override {}
  bool drop() override { return false; }
  std::uint64_t oldest() const override { return 0; }
  void rewrite(const LogRewrite& rewrite) override {
    for (const std::uint64_t position : rewrite.positions) {
      records_[position] = rewrite.record(position, records_[position]);
    }
  }
  bool empty_write_ahead() override { return true; }
  void forget_read() const override {}
  std::uint64_t head() const override { return records_.size(); }
  std::uint64_t append(const LogBatch& batch) override;
  std::shared_ptr<const RecordBatch> batch(std::uint64_t position) const override;
  void sync() override {}
  IngestCounts counts() const override { return {records_.size(), 0, 0, 0}; }
  std::uint64_t seen_ids() const override { return 0; }
  std::optional<SeenStretch> seen_before(std::uint64_t /*end*/) const override { return {}; }
  std::optional<SourceProgress> progress(const std::string& /*name*/) const override { return {}; }
  std::vector<SourceProgress> all_progress() const override { return {}; }
  std::vector<DeadLetter> dead_letters(std::uint64_t /*limit*/,
                                       std::uint64_t /*before*/) const override {
    return {};
  }
  std::vector<DeadLetter> late_events(std::uint64_t /*limit*/,
                                      std::uint64_t /*before*/) const override {
    return {};
  }
  const std::string& description() const override { return description_; }
  std::string content_hash() const override { return {}; }
  std::vector<std::string> verify() const override { return {}; }

 private:
  const std::string description_ = "memory";
  std::vector<std::string> records_;
};

/// A journal in memory that keeps artifacts and revisions. Used by one thread.
class MemoryJournal : public Journal {
 public:
  void commit(CheckpointRecord record) override;
  void settle() override {}
  void forget(std::uint64_t /*position*/, std::uint64_t /*question*/,
              std::uint64_t /*row*/) override {}
  std::uint64_t published() override { return 0; }
  void erase(const Erasure& /*erasure*/, const Schema& /*schema*/,
             const VectorOf& /*vector_of*/) override {}
  std::string put_artifact(const std::string& bytes) override;
  std::string get_artifact(const std::string& sha256) override { return artifacts_.at(sha256); }
  std::vector<Revision> revisions(std::uint64_t version) override {
    const auto found = revisions_.find(version);
    return found == revisions_.end() ? std::vector<Revision>{} : std::vector{found->second};
  }
  std::vector<Decision> decisions() override { return {}; }

 private:
  std::map<std::string, std::string> artifacts_;  ///< by a number in place of a hash
  std::map<std::uint64_t, Revision> revisions_;   ///< the newest of each version
};

}  // namespace freshet
