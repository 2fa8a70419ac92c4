#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

/// How a version came to be, and with what. Everything needed to make it again.
struct Lineage {
  std::string kind;    ///< learner, fresh, warm, cut
  std::string recipe;  ///< canonical JSON of the recipe
  std::string recipe_name;
  std::string feature_identity;
  std::uint64_t rows_begin = 0;  ///< the rows it has seen: [begin, end)
  std::uint64_t rows_end = 0;
  std::uint64_t knowledge_position = 0;
  std::uint64_t parent = 0;      ///< version; 0: none
  std::uint64_t parent_row = 0;  ///< warm, cut: the parent's revision it started from
  std::uint64_t epochs = 0;      ///< fresh, warm: passes over its rows
  std::uint64_t seed = 0;
  std::string build;    ///< program and library versions
  std::string profile;  ///< ISA profile
};

struct Version {
  std::uint64_t number = 0;  ///< 1, 2, 3 … per pipeline, in order of creation
  Lineage lineage;
  std::string status;  ///< learning, candidate, rejected, retired, quarantined
  std::uint64_t created_row = 0;
  Millis created_time = 0;  ///< event time
  /// A candidate: the row at which it was promoted; it learned on from there. 0: it was not.
  std::uint64_t promoted_row = 0;
  std::uint64_t stopped_row = 0;  ///< the row at which it stopped learning for good; 0: it has not
};

/// A champion's weights as of a row, stored as an artifact. `version@row`.
struct Revision {
  std::uint64_t version = 0;
  std::uint64_t row = 0;
  std::string artifact;       ///< sha256 (hex) in the artifact store; empty: by replay only
  std::string learner_state;  ///< sha256 of the anchor (full learner state); empty: none
};

/// An append-only receipt. Everything here is a function of the log but `wall_time`.
struct Decision {
  std::uint64_t sequence = 0;  ///< 1, 2, 3 … per pipeline
  std::string kind;            ///< first_champion, promoted, rejected, inconclusive, superseded,
                               ///< held_back, rolled_back, trigger, candidate_dropped,
                               ///< learner_stopped, paused, resumed, policy, probation_ended,
                               ///< erased, …
  std::string actor;           ///< "policy" or "operator"
  std::string reason;          ///< in words
  std::string figures;         ///< canonical JSON of the figures it saw
  std::uint64_t row = 0;       ///< row number at which it took effect
  std::uint64_t position = 0;  ///< log position
  Millis time = 0;             ///< event time (watermark)
  std::string config_hash;
  std::uint64_t from_version = 0;
  std::uint64_t from_row = 0;
  std::uint64_t to_version = 0;
  std::uint64_t to_row = 0;
  std::uint64_t evaluation = 0;  ///< 0: none
  std::string wall_time;         ///< RFC 3339, for people only; left out of fingerprints
};

/// One evaluation as stored; `figures` and `series` are canonical JSON.
struct EvaluationRecord {
  std::uint64_t number = 0;     ///< k, per pipeline
  std::uint64_t candidate = 0;  ///< version
  std::uint64_t champion = 0;
  std::string status;  ///< running, promote, reject, inconclusive, superseded
  std::string reason;
  std::string sentence;
  std::string policy;
  std::string figures;
  std::string series;
  std::uint64_t start_question = 0;
  std::uint64_t start_row = 0;
  std::uint64_t end_row = 0;
};

/// What is live: alias "champion" and "previous" of one pipeline at one revision each.
struct AliasRecord {
  std::string alias;
  std::uint64_t version = 0;
  std::uint64_t row = 0;
};

/// A command as recorded, in the order it takes effect: (position, sequence).
struct CommandRecord {
  std::uint64_t sequence = 0;  ///< per pipeline
  std::uint64_t position = 0;  ///< log position at which it takes effect
  std::string kind;            ///< promote, approve, rollback, pause, resume, train, apply, erase
  std::string arguments;       ///< canonical JSON
  std::string reason;
  std::string wall_time;
};

/// A stretch of a checkpoint's state that a fingerprint is made of.
struct StatePart {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A pipeline's full state at a log position, and everything that belongs to the same moment: one
/// transaction.
struct CheckpointRecord {
  std::uint64_t position = 0;  ///< records below it are in the state
  std::uint64_t row = 0;
  std::uint64_t questions = 0;   ///< to cut the row store back to
  std::string state;             ///< bytes; the registry adds a sha256 and checks it on read
  std::vector<StatePart> parts;  ///< of `state`; not stored, their hashes are
  std::string fingerprint;       ///< JSON of the parts' hashes, for `registry fingerprint`

  std::vector<Version> versions;              ///< new or changed
  std::vector<Revision> revisions;            ///< new
  std::vector<EvaluationRecord> evaluations;  ///< new or changed
  std::vector<Decision> decisions;            ///< new
  std::vector<AliasRecord> aliases;           ///< as they are now; an alias not named is gone
  bool alone = false;  ///< not stored: the ones before it go, as what they go on from changes

  /// Only as read: newer checkpoints that were passed over because they are damaged, in words.
  std::vector<std::string> damage;
};

/// The SQLite registry of a workspace: pipelines with their configs, versions, aliases,
/// evaluations, decisions, commands and checkpoints (docs/registry-format.md). One writer (the
/// owner of the workspace); any number of read-only ones. Functions throw Error{unavailable} when
/// the disk refuses, Error{corrupt} when a stored hash doesn't match, Error{not_found} for an
/// unknown pipeline or version. Used by one thread per object.
///
///   registry->set_config("bikes", config);          // first: makes the pipeline
///   registry->commit("bikes", record);              // one transaction, durable on return
///   if (auto from = registry->checkpoint("bikes"))  // after a crash: go on from there
class Registry {
 public:
  /// The writer: makes the file where it is missing and checks all of an older one (quick_check).
  /// Throws Error{corrupt} for a damaged file, and naming both formats for one that
  /// another build wrote.
  static std::unique_ptr<Registry> open(const std::string& path);
  static std::unique_ptr<Registry> open_reader(const std::string& path);
  virtual ~Registry() = default;

  /// Reads the whole file, each checkpoint against its hash; the damage found, in words. Empty: all
  /// is well.
  virtual std::vector<std::string> verify() const = 0;

  virtual std::vector<std::string> pipelines() const = 0;
  /// The recorded config (canonical JSON with defaults); nullopt if the pipeline is unknown.
  virtual std::optional<std::string> config(const std::string& pipeline) const = 0;
  virtual void set_config(const std::string& pipeline, const std::string& config) = 0;

  /// All of it or nothing, in one transaction. Records that are there already (a replay from an
  /// older checkpoint comes past them again) stay once. Error{corrupt} "replay differs", naming
  /// both, if a decision is another one than recorded (`wall_time` apart), or a version's lineage
  /// (build and profile apart), or an evaluation's candidate or start.
  virtual void commit(const std::string& pipeline, const CheckpointRecord& checkpoint) = 0;
  /// The newest checkpoint (position, row, questions, state, fingerprint); nullopt before the
  /// first. The newest three are kept; a damaged one is passed over for the one before, and
  /// `damage` says so. Error{corrupt} if none is whole.
  virtual std::optional<CheckpointRecord> checkpoint(const std::string& pipeline) const = 0;

  virtual std::vector<Version> versions(const std::string& pipeline) const = 0;
  virtual Version version(const std::string& pipeline, std::uint64_t number) const = 0;
  virtual std::vector<Revision> revisions(const std::string& pipeline,
                                          std::uint64_t version) const = 0;
  virtual std::vector<AliasRecord> aliases(const std::string& pipeline) const = 0;
  virtual std::vector<EvaluationRecord> evaluations(const std::string& pipeline) const = 0;
  virtual std::vector<Decision> decisions(const std::string& pipeline) const = 0;
  /// The decision that made the champion which was live at `time` (event time), if any was: the
  /// last one by (time, sequence) that changes the champion (decision_kinds.h).
  virtual std::optional<Decision> live_at(const std::string& pipeline, Millis time) const = 0;

  /// Makes a command durable; gives its sequence number (the record's own is not looked at).
  virtual std::uint64_t add_command(const std::string& pipeline, const CommandRecord& command) = 0;
  /// In the order in which they take effect: (position, sequence).
  virtual std::vector<CommandRecord> commands(const std::string& pipeline) const = 0;

  /// Artifacts named by any revision, for `verify` and the collection of orphans.
  virtual std::vector<Revision> all_revisions(const std::string& pipeline) const = 0;
};

}  // namespace freshet
