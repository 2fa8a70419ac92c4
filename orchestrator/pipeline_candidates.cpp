#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "orchestrator/pipeline.h"

namespace freshet {

namespace {

constexpr std::uint64_t kLookRows = 50;  // the shortest block

const char* name_of(RetrainKind kind) {
  switch (kind) {
    case RetrainKind::fresh:
      return "fresh";
    case RetrainKind::warm:
      return "warm";
    case RetrainKind::cut:
      return "cut";
  }
  return "";
}

}  // namespace

// Where labels come later than the held-out rows span, holding rows out buys nothing: they were
// asked before the candidate's last label was known.
std::uint64_t Pipeline::holdout_rows() const {
  const std::uint64_t rows = std::min(config_.evaluate.holdout_rows, row_ - kept_.row);
  if (rows == 0) return 0;
  const Millis span =
      store_.time(store_.row(row_ - 1).question) - store_.time(store_.row(row_ - rows).question);
  return config_.schema.label.wait > span ? 0 : rows;
}

void Pipeline::order_candidate(const RetrainAction& action, bool by_hand,
                               const std::string& trigger) {
  Candidate candidate;
  candidate.kind = action.kind;
  candidate.recipe = recipe_index(action.learner);
  candidate.epochs = action.epochs;
  candidate.follow = action.follow;
  candidate.by_hand = by_hand;
  candidate.trigger_position = position_;
  candidate.seed = config_.seed * 1000 + 100 + next_version_;
  candidate.end = action.kind == RetrainKind::cut ? row_ : row_ - holdout_rows();
  if (action.kind == RetrainKind::fresh) {
    candidate.begin = candidate.end - std::min(candidate.end, action.window_rows);
  } else if (action.kind == RetrainKind::warm) {
    candidate.begin = std::min(champion_->snapshot.row, candidate.end);
  }
  candidate.begin = std::min(std::max(candidate.begin, kept_.row), candidate.end);
  candidate.version = next_version_;
  if (candidates_.size() >= config_.evaluate.in_flight) {
    return refuse_candidate(candidate,
                            fmt::format("{} candidates are under way already", candidates_.size()));
  }
  if (candidate.begin == candidate.end) {
    return refuse_candidate(candidate, "there are no rows for it to learn");
  }
  if (action.kind == RetrainKind::warm &&
      (recipes_[champion_->recipe].network != recipes_[candidate.recipe].network ||
       features_of(champion_->version) !=
           asker_.features().index_of(config_.schema, recipes_[candidate.recipe]))) {
    return refuse_candidate(candidate, fmt::format("the champion's weights, version {}, are of "
                                                   "another network or feature set",
                                                   champion_->version));
  }
  candidate.join_row = row_;
  if (action.kind != RetrainKind::cut) {
    const Recipe& recipe = recipes_[candidate.recipe];
    const auto work =
        static_cast<double>((candidate.end - candidate.begin) * candidate.epochs * recipe.steps);
    const auto rows = static_cast<std::uint64_t>(std::ceil(work / config_.retrain.rows_per_row));
    const std::uint64_t tick = config_.tick_rows;
    candidate.join_row = (row_ + std::max<std::uint64_t>(rows, 1) + tick - 1) / tick * tick;
  }
  if (action.kind == RetrainKind::warm) {
    store_artifact(*champion_);
    candidate.warm_start = champion_->artifact;
  }
  Lineage lineage;
  lineage.kind = name_of(action.kind);
  lineage.rows_begin = candidate.begin;
  lineage.rows_end = candidate.end;
  lineage.knowledge_position = store_.row(candidate.end - 1).known_position;
  if (action.kind == RetrainKind::warm) {
    lineage.parent = champion_->version;
    lineage.parent_row = champion_->row;
  } else if (action.kind == RetrainKind::cut) {
    lineage.parent = learner_of(candidate.recipe);
    lineage.parent_row = candidate.end;
  }
  if (action.kind != RetrainKind::cut) lineage.epochs = candidate.epochs;
  add_version(candidate.recipe, describe(candidate.recipe, candidate.seed, std::move(lineage)),
              "candidate");
  Decision receipt = new_decision(
      "trigger", fmt::format("{}: version {}, {} {} over rows [{}, {}), joins at row {}", trigger,
                             candidate.version, name_of(action.kind), action.learner,
                             candidate.begin, candidate.end, candidate.join_row));
  receipt.to_version = candidate.version;
  if (by_hand) receipt.actor = "operator";
  decide(std::move(receipt));
  ++counts_.candidates;
  place_order(candidate);
  candidates_.push_back(std::move(candidate));
}

std::uint64_t Pipeline::learner_of(std::size_t recipe) const {
  const auto found = std::find_if(
      learners_.begin(), learners_.end(),
      [&](const ActiveLearner& learner) { return learner.recipe == recipe && !learner.retiring; });
  assert(found != learners_.end());
  return found->version;
}

void Pipeline::place_order(const Candidate& candidate) {
  if (candidate.kind == RetrainKind::cut) {
    learning_.cut(candidate.version, learner_of(candidate.recipe));
    return;
  }
  TrainingOrder order;
  order.version = candidate.version;
  order.recipe = candidate.recipe;
  order.seed = candidate.seed;
  order.begin = candidate.begin;
  order.end = candidate.end;
  order.epochs = candidate.epochs;
  if (!candidate.warm_start.empty()) {
    order.warm_start =
        learning_.from_artifact(journal_.get_artifact(candidate.warm_start), 0).state;
  }
  store_.flush();
  store_.sync();  // the worker reads the file
  learning_.order(order);
}

void Pipeline::refuse_candidate(const Candidate& candidate, const std::string& why) {
  decide(new_decision("candidate_dropped", fmt::format("{} {}: {}", name_of(candidate.kind),
                                                       recipe_name(candidate.recipe), why)));
}

void Pipeline::drop_candidate(std::uint64_t version, const std::string& status) {
  set_status(version, status);
  learning_.drop(version);
  std::erase_if(candidates_, [&](const Candidate& c) { return c.version == version; });
}

// A candidate's weights outlive its verdict, so that it can be compared again.
void Pipeline::keep_candidate(const Candidate& candidate) {
  const Snapshot snapshot = learning_.snapshot(candidate.version);
  pending_.revisions.push_back(
      {candidate.version, candidate.end,
       journal_.put_artifact(learning_.artifact(candidate.recipe, snapshot)), ""});
}

void Pipeline::join_candidate(Candidate& candidate) {
  if (candidate.kind != RetrainKind::cut && !candidate.collected) {
    learning_.collect(candidate.version);
    candidate.collected = true;
  }
  if (const auto stopped = learning_.stopped(candidate.version)) {
    refuse_candidate(candidate, *stopped);
    return drop_candidate(candidate.version, "rejected");
  }
  keep_candidate(candidate);
  if (trials_.size() >= config_.evaluate.in_flight) {
    refuse_candidate(candidate, fmt::format("version {} dropped: {} evaluations are in flight",
                                            candidate.version, trials_.size()));
    return drop_candidate(candidate.version, "dropped");
  }
  candidate.joined = true;
  const std::uint64_t known = store_.row(candidate.end - 1).known_position;
  std::uint64_t start = std::max(first_question_at(store_, question_, known), champion_question_);
  if (candidate.by_hand) {
    start = std::max(start, first_question_at(store_, question_, candidate.trigger_position));
  }
  const std::uint64_t number = next_evaluation_++;
  trials_.push_back({number, candidate.version, false, start, row_,
                     Evaluation(evaluation_policy(watermark_), number, {})});
  record_trial(trials_.back(), "running", "", "");
  backfill(number, candidate.end);
}

// The backtest over the rows that are there already, in asked order, with a look at each block.
void Pipeline::backfill(std::uint64_t number, std::uint64_t from_row) {
  const auto find = [&] {
    return std::find_if(trials_.begin(), trials_.end(),
                        [&](const Trial& trial) { return trial.number == number; });
  };
  std::vector<SettledQuestion> known;
  for (std::uint64_t row = from_row; row < row_; ++row) {
    const Row stored = store_.row(row);
    if (stored.question >= find()->start_question && stored.question < settled_question_) {
      known.push_back({stored.question, stored.label});
    }
  }
  std::sort(known.begin(), known.end(),
            [](const auto& a, const auto& b) { return a.question < b.question; });
  for (std::size_t begin = 0; begin < known.size(); begin += kLookRows) {
    const std::size_t count = std::min<std::size_t>(kLookRows, known.size() - begin);
    const auto trial = find();
    feed_trial(read_settled(config_, store_, std::span(known).subspan(begin, count), {}), *trial);
    if (paused_ || probation_) continue;
    look(static_cast<std::size_t>(trial - trials_.begin()));
    if (find() == trials_.end()) return;
  }
}

}  // namespace freshet
