#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/config.h"
#include "registry/registry.h"
#include "stream/row_store.h"
#include "trainer/learner.h"

namespace freshet {

/// What an operator names: `12@34560`, or `12` for its last revision.
struct RevisionName {
  std::uint64_t version = 0;
  std::optional<std::uint64_t> row;
};

/// Throws Error{invalid} for what is neither V nor V@ROW.
RevisionName parse_revision(std::string_view text);

/// Checks that a version has served, or could have, as of `row`, where its pipeline stands at row
/// `rows`: a learner at any row it has learned up to; a candidate at the row it was promoted at
/// and, if it learned on, at those after it. Throws Error{invalid} naming the rows there are.
void require_revision(const Version& version, std::uint64_t row, std::uint64_t rows);

/// The last row such a revision can have.
std::uint64_t last_revision_row(const Version& version, std::uint64_t rows);

/// The end of the rows that the weights of a revision have learned: full batches only.
std::uint64_t learned_end(const Version& version, const Recipe& recipe, std::uint64_t row);

/// Where the past of versions is found.
struct VersionHistory {
  std::function<Version(std::uint64_t)> version;                  ///< Error{not_found}
  std::function<std::vector<Revision>(std::uint64_t)> revisions;  ///< of a version, by row
  std::function<std::string(const std::string&)> artifact;        ///< Error{corrupt}, {not_found}
};

/// A revision's weights, made again.
struct ReproducedRevision {
  std::string artifact;  ///< bytes
  std::uint64_t learned_end = 0;
  std::string from;  ///< what they were made from, in words
};

/// Makes the weights of a version at a row again, bit for bit, from its lineage and the stored
/// rows: a learner from the anchor before that row, or from its seed; a candidate as the worker
/// made it, and on from there if it learned on.
///
///   Reproduction reproduction(config, store, history);
///   reproduction.revision(12, 34560).artifact     // the same bytes as recorded
///
/// `store` must hold the rows below the one asked for. Used by one thread.
class Reproduction {
 public:
  Reproduction(const PipelineConfig& config, RowStore& store, VersionHistory history)
      : config_(config), store_(store), history_(std::move(history)) {}

  /// Without `anchors`: by lineage alone. Throws Error{not_found} for an unknown version,
  /// Error{conflict} for one whose lineage tells too little (an earlier build's candidate).
  ReproducedRevision revision(std::uint64_t version, std::uint64_t row, bool anchors = true);

 private:
  std::unique_ptr<Learner> learner(const Version& version, std::uint64_t row, bool anchors,
                                   std::string& from);
  std::unique_ptr<Learner> anchored(const Version& version, std::uint64_t row, std::string& from);
  std::unique_ptr<Learner> from_lineage(const Version& version, bool anchors, std::string& from);
  std::unique_ptr<Learner> trained(const Version& version, bool anchors, std::string& from);
  ModelSpec spec(const Version& version) const;
  RowReader reader(const Version& version) const;

  const PipelineConfig& config_;
  RowStore& store_;
  const VersionHistory history_;
};

}  // namespace freshet
