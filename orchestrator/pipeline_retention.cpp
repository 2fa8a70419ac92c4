#include <algorithm>

#include "orchestrator/pipeline.h"

namespace freshet {

namespace {

constexpr std::uint64_t kLeastRows = 20'000;  // more than any test, brake or probation looks back
constexpr std::size_t kCommits = 4;  // the checkpoints that are kept, and the one under way

std::uint64_t before(std::uint64_t row, std::uint64_t rows) { return row - std::min(row, rows); }

}  // namespace

// What goes is decided at ticks, by the log alone, because a new learner begins with the first row
// that stays. It is deleted later, when no checkpoint leads back to it.
void Pipeline::tick_retention() {
  if (!config_.keep) {
    marks_.clear();
    return;
  }
  if (!anchor_row(row_)) return;
  add_mark();
  const std::uint64_t needed = first_row_needed();
  const std::uint64_t question = first_question_needed();
  while (!marks_.empty() && marks_.front().row <= needed && marks_.front().question <= question &&
         !within_limits(marks_.front())) {
    kept_ = marks_.front();
    marks_.pop_front();
  }
}

void Pipeline::add_mark() {
  Mark mark;
  mark.question = settled_question_;
  mark.row = row_;
  mark.position = settled_question_ < question_ ? store_.position(settled_question_) : position_;
  mark.watermark = watermark_;
  mark.bytes = log_bytes_;
  marks_.push_back(mark);
}

// Whether something before it is to stay.
bool Pipeline::within_limits(const Mark& mark) const {
  if (config_.keep->age) return mark.watermark > watermark_ - *config_.keep->age;
  return log_bytes_ - mark.bytes < *config_.keep->bytes;
}

// Learners go on from an anchor, which needs the rows that its replay holds.
std::uint64_t Pipeline::first_row_needed() const {
  const std::uint64_t between_anchors = 2 * config_.promote.refresh.keep_every_rows;
  const std::uint64_t held_out = config_.evaluate.holdout_rows;
  std::uint64_t first = before(row_, kLeastRows + held_out + between_anchors);
  for (const Recipe& recipe : recipes_) {
    first = std::min(first, before(row_, recipe.replay_capacity + recipe.batch + between_anchors));
  }
  for (const RetrainAction& action : config_.retrain.actions) {
    if (action.kind == RetrainKind::fresh) {
      first = std::min(first, before(row_, action.window_rows + held_out + between_anchors));
    }
    if (action.kind == RetrainKind::warm && champion_) {
      first = std::min(first, champion_->snapshot.row);
    }
  }
  for (const Candidate& candidate : candidates_) {
    const Recipe& recipe = recipes_[candidate.recipe];
    const bool trains = candidate.kind != RetrainKind::cut;
    first = std::min({first, trains ? candidate.begin : candidate.end,
                      before(candidate.end, recipe.replay_capacity + recipe.batch)});
  }
  // One that was in force before stream.keep may still learn by a reservoir, of rows of any age.
  for (const ActiveLearner& learner : learners_) {
    if (recipes_[learner.recipe].replay == ReplayKind::reservoir) first = 0;
  }
  return first;
}

// A probation begins with the rows that the scoreboard holds.
std::uint64_t Pipeline::first_question_needed() const {
  return scoreboard_.recorded_size() > 0 ? scoreboard_.recorded_pair(0).question
                                         : settled_question_;
}

std::optional<Mark> Pipeline::committed(const Mark& kept) {
  committed_kept_.push_back(kept);
  if (committed_kept_.size() < kCommits) return std::nullopt;
  const Mark oldest = committed_kept_.front();
  committed_kept_.pop_front();
  return oldest;
}

void Pipeline::forget_old() {
  const std::optional<Mark> kept = committed(kept_);
  if (!kept || kept->row <= store_.first_row()) return;
  const bool publishes = config_.sink && !config_.sink->predictions.empty();
  if (publishes && journal_.published() < kept->question) return;
  journal_.forget(kept->position, kept->question, kept->row);
}

}  // namespace freshet
