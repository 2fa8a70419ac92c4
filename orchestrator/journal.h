#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry/registry.h"
#include "stream/erasure.h"

namespace freshet {

/// Where a pipeline writes what must outlive it. Used by the pipeline thread.
class Journal {
 public:
  virtual ~Journal() = default;

  /// Everything of one moment becomes durable, perhaps after the return: the rows first, then
  /// the artifacts put since the last commit, then the record in one transaction. Commits become
  /// durable in their order. Throws what an earlier one met.
  virtual void commit(CheckpointRecord record) = 0;
  /// All that was committed is durable on return. Throws what a commit met.
  virtual void settle() = 0;
  /// Nothing that was committed, nor what will be, needs records below `position`, questions below
  /// `question` or rows below `row`: they may be deleted.
  virtual void forget(std::uint64_t position, std::uint64_t question, std::uint64_t row) = 0;
  /// Questions below it are answered and the sink has acknowledged their answers.
  virtual std::uint64_t published() = 0;
  /// A person's data go from the log's records (its write-ahead file may hold them a while, see
  /// EventLog::empty_write_ahead); doing so again changes nothing. Throws as EventLog::rewrite.
  virtual void erase(const Erasure& erasure, const Schema& schema, const VectorOf& vector_of) = 0;
  /// Takes an artifact, to be stored with the next commit; gives its sha256.
  virtual std::string put_artifact(const std::string& bytes) = 0;
  /// Throws Error{corrupt} or Error{not_found}.
  virtual std::string get_artifact(const std::string& sha256) = 0;
  /// A version's revisions that are durable, by row.
  virtual std::vector<Revision> revisions(std::uint64_t version) = 0;
  virtual std::vector<Decision> decisions() = 0;
};

}  // namespace freshet
