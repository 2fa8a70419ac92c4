#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/evaluation.h"
#include "orchestrator/config.h"
#include "orchestrator/learning.h"
#include "registry/registry.h"
#include "stream/watermark.h"

namespace freshet {

/// No evaluation reads its test on fewer calibration rows.
inline constexpr std::size_t kCalibrationRows = 2000;

/// A version as the pipeline knows it.
struct KnownVersion {
  Version record;
  std::size_t recipe = 0;
  std::size_t features = 0;  ///< the feature set it learned from
};

/// A learner that takes part, and the version it is.
struct ActiveLearner {
  std::uint64_t version = 0;
  std::size_t recipe = 0;  ///< index into config.learners
  std::uint64_t seed = 0;
  std::uint64_t started_row = 0;
  std::uint64_t restart_row = 0;  ///< as a challenger, not evaluated before this row
  bool retiring = false;          ///< replaced; stops when probation ends
  bool stopped = false;           ///< its loss turned NaN or infinite
};

/// A revision that serves or has served.
struct ServedRevision {
  std::uint64_t version = 0;
  std::uint64_t row = 0;
  std::size_t recipe = 0;
  Snapshot snapshot;
  std::string artifact;  ///< sha256, once stored
};

/// A frozen candidate, from its order to its verdict.
struct Candidate {
  std::uint64_t version = 0;
  RetrainKind kind = RetrainKind::fresh;
  std::size_t recipe = 0;
  std::uint64_t seed = 0;
  std::uint64_t begin = 0;  ///< rows seen [begin, end)
  std::uint64_t end = 0;
  std::uint32_t epochs = 1;
  std::uint64_t join_row = 0;  ///< J: its evaluation starts at this tick
  std::uint64_t trigger_position = 0;
  bool by_hand = false;
  bool follow = true;
  bool collected = false;  ///< trained: the worker is done with it
  bool joined = false;     ///< its evaluation runs
  std::string warm_start;  ///< warm: sha256 of the artifact it starts from
};

/// An evaluation in flight.
struct Trial {
  std::uint64_t number = 0;          ///< k
  std::uint64_t candidate = 0;       ///< version
  bool challenger = false;           ///< else a frozen candidate
  std::uint64_t start_question = 0;  ///< counts questions from here on
  std::uint64_t start_row = 0;
  Evaluation evaluation;
};

/// The rows after a promotion, during which the champion before is still scored.
struct Probation {
  std::uint64_t start_question = 0;
  std::uint64_t rows = 0;  ///< judged so far
  bool concluded = false;  ///< no more looks
  Evaluation evaluation;   ///< "champion" = live answers, "candidate" = the one before
};

/// How things stood at a tick: all questions below `question` had settled, and all rows from `row`
/// on are of later ones.
struct Mark {
  std::uint64_t question = 0;
  std::uint64_t row = 0;
  std::uint64_t position = 0;  ///< at which `question` was asked
  Millis watermark = Watermark::kNone;
  std::uint64_t bytes = 0;  ///< of the log's records so far
};

/// What came before it a checkpoint does without. Error{corrupt} for a state of another format.
Mark kept_mark(const CheckpointRecord& record);

/// The questions below this one had settled when a checkpoint was made. Error{corrupt} for a state
/// of another format.
std::uint64_t settled_questions(const CheckpointRecord& record, const Schema& schema);

/// Counts for the summary.
struct PipelineCounts {
  std::uint64_t refreshes = 0;
  std::uint64_t held_back = 0;  ///< ticks at which a refresh was held back
  std::uint64_t candidates = 0;
  std::uint64_t promotions = 0;  ///< first champion not counted
  std::uint64_t rejections = 0;
  std::uint64_t inconclusive = 0;
  std::uint64_t superseded = 0;
  std::uint64_t rollbacks = 0;
};

}  // namespace freshet
