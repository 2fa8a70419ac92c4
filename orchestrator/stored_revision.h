#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/config.h"
#include "orchestrator/reproduce.h"
#include "orchestrator/workspace.h"
#include "stream/row_store.h"

namespace freshet {

/// One revision of a version in a workspace, for commands that only read: found by name, made
/// again, or written to a folder. Used by one thread; the workspace must outlive it.
class StoredRevision {
 public:
  /// A name without a row stands for the last recorded revision; where there is none, for a
  /// candidate as it was trained, and a learner as it stands. Throws Error{not_found} for an
  /// unknown version, Error{invalid} for a row at which it has no revision.
  StoredRevision(Workspace& workspace, std::string pipeline, const RevisionName& name);

  std::uint64_t version() const { return version_.number; }
  std::uint64_t row() const { return row_; }
  std::string text() const;
  /// sha256 of the weights as recorded; empty if none are.
  const std::string& recorded() const { return recorded_; }

  /// As Reproduction::revision.
  ReproducedRevision reproduce(bool anchors);
  /// How many of the rows below its own were erased: what it learned of them is gone.
  struct ErasedRows {
    std::uint64_t rows = 0;
    std::vector<std::uint64_t> decisions;  ///< their numbers
  };
  ErasedRows erased_rows();
  /// The recorded weights, made again where there are none. Error{conflict} where they cannot, as
  /// rows that they learned were erased.
  std::string weights();
  /// How it was made and what it expects, for those who use the weights elsewhere.
  nlohmann::json manifest(const std::string& weights) const;

  /// Writes `weights.safetensors` and `manifest.json`; makes the folder. Throws Error{conflict} if
  /// one of them is there already, Error{unavailable} when the disk refuses.
  void export_to(const std::string& folder);

 private:
  Workspace& workspace_;
  const std::string pipeline_;
  const PipelineConfig config_;
  const Version version_;
  const std::unique_ptr<RowStore> store_;
  std::uint64_t row_ = 0;
  std::string recorded_;
};

}  // namespace freshet
