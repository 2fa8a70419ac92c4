#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "orchestrator/pipeline.h"
#include "orchestrator/receipts.h"
#include "trainer/anchor.h"

namespace freshet {

void Pipeline::serve(ServedRevision revision, Decision receipt) {
  receipt.to_version = revision.version;
  receipt.to_row = revision.row;
  champion_ = std::move(revision);
  champion_question_ = question_;
  holding_ = false;
  store_artifact(*champion_);
  decide(std::move(receipt));
}

ServedRevision Pipeline::revision_now(std::uint64_t version) {
  ServedRevision revision;
  revision.version = version;
  revision.snapshot = learning_.snapshot(version);
  revision.row = row_;
  revision.recipe = versions_.at(version).recipe;
  return revision;
}

void Pipeline::store_artifact(ServedRevision& revision) {
  if (!revision.artifact.empty()) return;
  revision.artifact = journal_.put_artifact(learning_.artifact(revision.recipe, revision.snapshot));
  pending_.revisions.push_back({revision.version, revision.row, revision.artifact, ""});
}

void Pipeline::keep_anchor(std::uint64_t version) {
  const bool served = champion_ && champion_->version == version && champion_->row == row_;
  pending_.revisions.push_back({version, row_, served ? champion_->artifact : "",
                                journal_.put_artifact(anchor_bytes(learning_.save(version)))});
}

void Pipeline::promote_version(std::uint64_t version, Decision receipt) {
  const auto trial = std::find_if(trials_.begin(), trials_.end(),
                                  [&](const Trial& t) { return t.candidate == version; });
  start_probation(version, trial == trials_.end() ? nullptr : &*trial);
  supersede_trials(version);
  receipt.from_version = champion_->version;
  receipt.from_row = champion_->row;
  store_artifact(*champion_);
  previous_ = std::move(champion_);
  for (ActiveLearner& learner : learners_) {
    if (learner.version == previous_->version) learner.restart_row = row_;
  }
  ServedRevision revision = revision_now(version);
  const auto candidate = std::find_if(candidates_.begin(), candidates_.end(),
                                      [&](const Candidate& c) { return c.version == version; });
  followed_ = true;
  if (candidate != candidates_.end()) {
    followed_ = candidate->follow;
    versions_.at(version).record.promoted_row = row_;
    if (!candidate->follow) versions_.at(version).record.stopped_row = row_;
    if (candidate->follow) take_recipe_place(*candidate);
    set_status(version, candidate->follow ? "learning" : "frozen");
    if (!candidate->follow) learning_.drop(version);
    candidates_.erase(candidate);
  }
  ++counts_.promotions;
  serve(std::move(revision), std::move(receipt));
  if (!probation_) end_probation();
}

// The promoted candidate becomes its recipe's learner; the one it replaces goes on until probation
// ends, in case it is rolled back to.
void Pipeline::take_recipe_place(const Candidate& candidate) {
  for (ActiveLearner& learner : learners_) {
    if (learner.recipe == candidate.recipe) learner.retiring = true;
  }
  learning_.follow(candidate.version, row_);
  ActiveLearner learner;
  learner.version = candidate.version;
  learner.recipe = candidate.recipe;
  learner.seed = candidate.seed;
  learner.started_row = row_;
  learners_.push_back(learner);
}

// Whoever promotes by hand ends the evaluation that was under way: its record is as of now.
void Pipeline::end_trial_by_hand(std::uint64_t candidate) {
  for (const Trial& trial : trials_) {
    if (trial.candidate != candidate) continue;
    record_trial(trial, "superseded", "promoted_by_hand",
                 "Superseded: the operator promoted the candidate.");
    ++counts_.superseded;
  }
}

void Pipeline::supersede_trials(std::uint64_t except) {
  for (const Trial& trial : trials_) {
    if (trial.candidate == except) continue;
    const std::string sentence = "Superseded: the champion changed.";
    record_trial(trial, "superseded", "superseded", sentence);
    Decision receipt = new_decision("superseded", sentence);
    receipt.evaluation = trial.number;
    receipt.from_version = champion_->version;
    receipt.from_row = champion_->row;
    receipt.to_version = trial.candidate;
    decide(std::move(receipt));
    ++counts_.superseded;
  }
  // Challengers start again by themselves; a frozen candidate joins again, as a new evaluation.
  for (Candidate& candidate : candidates_) {
    if (candidate.joined && candidate.version != except) {
      candidate.joined = false;
      candidate.join_row = row_ + config_.tick_rows;
    }
  }
  trials_.clear();
}

void Pipeline::start_probation(std::uint64_t version, const Trial* trial) {
  if (config_.promote.probation.rows == 0) return;
  std::vector<PairedLoss> pairs = scoreboard_.recorded(version);
  if (pairs.empty() && trial != nullptr) {
    SettledRows rows;
    for (std::size_t i = 0; i < scoreboard_.recorded_size(); ++i) {
      const PairedLoss pair = scoreboard_.recorded_pair(i);
      if (pair.question < trial->start_question || std::isnan(pair.champion)) continue;
      rows.question.push_back(pair.question);
      rows.label.push_back(scoreboard_.recorded_label(i));
      pairs.push_back(pair);
    }
    const auto loss = frozen_losses(rows, 0, version, *learning_.snapshot(version).model);
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].candidate = loss[i];
  }
  for (PairedLoss& pair : pairs) std::swap(pair.champion, pair.candidate);
  if (pairs.size() < kCalibrationRows) pairs.clear();
  EvaluationPolicy policy = evaluation_policy(watermark_);
  policy.margin = config_.promote.probation.tolerance;
  policy.alpha = config_.promote.probation.alpha_rollback;
  policy.max_rows = config_.promote.probation.rows;
  probation_.emplace(Probation{question_, 0, false, Evaluation(policy, 1, std::move(pairs))});
}

void Pipeline::end_probation() {
  probation_.reset();
  for (std::size_t i = learners_.size(); i-- > 0;) {
    if (learners_[i].retiring && learners_[i].version != champion_->version) retire(i);
  }
}

void Pipeline::promote(std::uint64_t version, const std::string& reason) {
  if (!champion_) throw Error(ErrorKind::conflict, "there is no champion yet to promote over");
  if (champion_->version == version) {
    throw Error(ErrorKind::conflict, fmt::format("version {} is the champion already", version));
  }
  const bool learner = std::any_of(learners_.begin(), learners_.end(), [&](const auto& active) {
    return active.version == version && !active.stopped && !active.retiring;
  });
  const bool candidate = std::any_of(candidates_.begin(), candidates_.end(), [&](const auto& c) {
    return c.version == version && (c.joined || c.kind == RetrainKind::cut);
  });
  if (!learner && !candidate) {
    throw Error(ErrorKind::not_found,
                fmt::format("version {} is neither a learner nor a trained candidate now; to go "
                            "back to one that has served, use rollback",
                            version));
  }
  if (probation_) end_probation();
  Decision receipt = new_decision("promoted", reason);
  receipt.actor = "operator";
  end_trial_by_hand(version);
  promote_version(version, std::move(receipt));
}

void Pipeline::pause(const std::string& reason) {
  paused_ = true;
  Decision receipt = new_decision("paused", reason);
  receipt.actor = "operator";
  decide(std::move(receipt));
}

void Pipeline::resume(const std::string& reason) {
  if (!paused_) throw Error(ErrorKind::conflict, "the pipeline is not paused");
  paused_ = false;
  followed_ = champion_ && std::any_of(learners_.begin(), learners_.end(), [&](const auto& l) {
                return l.version == champion_->version;
              });
  Decision receipt = new_decision("resumed", reason);
  receipt.actor = "operator";
  decide(std::move(receipt));
}

void Pipeline::train(const std::string& reason) {
  if (!champion_) {
    throw Error(ErrorKind::conflict, "there is no champion yet to compare a candidate with");
  }
  if (config_.retrain.actions.empty()) {
    throw Error(ErrorKind::conflict, "the policy trains no candidates: retrain.do is empty");
  }
  Decision receipt = new_decision("training_ordered", reason);
  receipt.actor = "operator";
  decide(std::move(receipt));
  for (const RetrainAction& action : config_.retrain.actions) {
    order_candidate(action, true, "by hand: " + reason);
  }
}

}  // namespace freshet
