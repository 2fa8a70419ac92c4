#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "orchestrator/segment.h"
#include "trainer/model.h"

namespace freshet {

/// A model's weights as of a row, ready to answer.
struct Snapshot {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const ModelState> state;  ///< what `model` was made from
  std::uint64_t row = 0;                    ///< it has learned rows below this one
};

/// An order to the worker: train a frozen candidate.
struct TrainingOrder {
  std::uint64_t version = 0;
  std::size_t recipe = 0;  ///< index into the recipes
  std::uint64_t seed = 0;
  std::uint64_t begin = 0;  ///< rows [begin, end)
  std::uint64_t end = 0;
  std::uint32_t epochs = 1;
  std::shared_ptr<const ModelState> warm_start;  ///< none: new weights
};

/// The learning side of a pipeline: learners that answer and learn each segment, and candidates
/// that stand still. Each is named by its version number. All functions are called by the pipeline
/// thread.
///
/// Segments are posted ahead and waited for in the same order: `answers`, `snapshot` and `stopped`
/// tell how things stood at the end of the segment last waited for. `cut` and `save` are of
/// learners as they are, and may be called only when every posted segment was waited for.
class Learning {
 public:
  virtual ~Learning() = default;

  /// All recipes there are, by index; later ones are added behind. The config's learners before
  /// the first call.
  virtual void use_recipes(const std::vector<Recipe>& recipes) = 0;
  /// A learner with new weights takes part from the next segment on.
  virtual void start(std::uint64_t version, std::size_t recipe, std::uint64_t seed,
                     std::uint64_t next_row) = 0;
  /// A frozen candidate: a copy of a learner as it stands.
  virtual void cut(std::uint64_t version, std::uint64_t learner) = 0;
  /// A frozen candidate from the worker; `collect` waits until it is there.
  virtual void order(const TrainingOrder& order) = 0;
  virtual void collect(std::uint64_t version) = 0;
  /// A frozen candidate, or a learner just started, learns the rows from its end to `next_row`,
  /// which ends the segment last waited for, and takes part from then on.
  virtual void follow(std::uint64_t version, std::uint64_t next_row) = 0;
  /// Forgets a learner, a candidate or an order.
  virtual void drop(std::uint64_t version) = 0;

  /// Every learner answers the segment's questions and learns its rows, in log order. The segment
  /// must stay as it is until it was waited for, or until `abandon`.
  virtual void post(const Segment& segment) = 0;
  /// Waits for the oldest segment posted.
  virtual void wait() = 0;
  /// The end: nothing reads a posted segment any more on return, and only destruction may follow.
  virtual void abandon() = 0;
  /// True when `wait` would not block.
  virtual bool done() const = 0;
  /// A learner's answers to the segment last waited for, questions x answer width.
  virtual std::span<const float> answers(std::uint64_t version) const = 0;
  /// The model that gave all of them; nullptr where several did, or for what answers none.
  virtual const Model* answered_by(std::uint64_t version) const = 0;

  virtual Snapshot snapshot(std::uint64_t version) = 0;
  /// Why a learner stopped learning, if it did.
  virtual std::optional<std::string> stopped(std::uint64_t version) const = 0;

  /// A snapshot as artifact bytes, and back (throws Error{corrupt}).
  virtual std::string artifact(std::size_t recipe, const Snapshot& snapshot) const = 0;
  virtual Snapshot from_artifact(const std::string& bytes, std::uint64_t row) const = 0;

  /// A learner's full state (also a frozen candidate's), to go on from bit for bit.
  virtual std::string save(std::uint64_t version) const = 0;
  virtual void load(std::uint64_t version, std::size_t recipe, const std::string& state,
                    bool takes_part) = 0;
};

}  // namespace freshet
