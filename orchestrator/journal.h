#pragma once

#include <memory>
#include <string>

#include "registry/registry.h"

namespace freshet {

/// Where a pipeline writes what must outlive it. Used by the pipeline thread.
class Journal {
 public:
  virtual ~Journal() = default;

  /// Makes everything of one moment durable: the rows first, then the record in one transaction.
  virtual void commit(CheckpointRecord record) = 0;
  /// Stores an artifact; gives its sha256.
  virtual std::string put_artifact(const std::string& bytes) = 0;
  /// Throws Error{corrupt} or Error{not_found}.
  virtual std::string get_artifact(const std::string& sha256) = 0;
  /// The newest stored revision of a version that has served. Throws Error{not_found}.
  virtual Revision last_revision(std::uint64_t version) = 0;
};

}  // namespace freshet
