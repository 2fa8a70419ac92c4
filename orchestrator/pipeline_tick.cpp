#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "orchestrator/pipeline.h"
#include "orchestrator/receipts.h"

namespace freshet {

void Pipeline::tick() {
  tick_stopped_learners();
  tick_first_champion();
  tick_refresh();
  tick_probation();
  tick_verdicts();
  tick_challengers();
  tick_candidates();
  tick_triggers();
  tick_anchor();
  tick_retention();
}

void Pipeline::tick_stopped_learners() {
  for (ActiveLearner& learner : learners_) {
    if (learner.stopped) continue;
    const auto reason = learning_.stopped(learner.version);
    if (!reason) continue;
    learner.stopped = true;
    Decision receipt = new_decision("learner_stopped", *reason);
    receipt.from_version = learner.version;
    decide(std::move(receipt));
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      if (trials_[i].candidate != learner.version) continue;
      conclude(i, {VerdictKind::reject, "learner_stopped", "Reject: " + *reason});
      break;
    }
  }
}

void Pipeline::tick_first_champion() {
  if (champion_) return;
  const std::uint64_t warmup =
      std::min<std::uint64_t>(config_.evaluate.warmup_rows, Scoreboard::kRecorded);
  if (scoreboard_.settled_rows() < warmup) return;
  const ActiveLearner* best = nullptr;
  Scoreboard::Standing best_standing;
  for (const ActiveLearner& learner : learners_) {
    if (learner.stopped) continue;
    const auto standing = scoreboard_.standing(learner.version, warmup);
    if (!standing || standing->learner >= standing->prior) continue;
    if (best == nullptr || standing->learner < best_standing.learner) {
      best = &learner;
      best_standing = *standing;
    }
  }
  if (best == nullptr) return;
  Decision receipt = new_decision(
      "first_champion",
      fmt::format("version {} ({}) has the best progressive loss over the last {} settled rows: "
                  "{:.4f}, the running prior's is {:.4f}",
                  best->version, recipe_name(best->recipe), warmup, best_standing.learner,
                  best_standing.prior));
  receipt.figures = standing_figures(best_standing.learner, best_standing.prior, warmup);
  first_champion_row_ = row_;
  followed_ = true;
  serve(revision_now(best->version), std::move(receipt));
}

void Pipeline::tick_refresh() {
  const RefreshPolicy& policy = config_.promote.refresh;
  if (!champion_ || !followed_ || paused_ || policy.on_evidence) return;
  if (row_ % policy.every_rows >= config_.tick_rows) return;
  const Scoreboard::Brake brake = scoreboard_.brake(champion_->version);
  if (brake.hold) {
    ++counts_.held_back;
    if (std::exchange(holding_, true)) return;
    Decision receipt = new_decision(
        "held_back",
        fmt::format("refresh held back: over the last {} settled rows the learner's progressive "
                    "loss is worse than the answers as served by {:.4f}, more than two standard "
                    "errors ({:.4f}); no evidence, a brake",
                    Scoreboard::kBrakeRows, brake.mean_difference, 2 * brake.standard_error));
    receipt.figures = brake_figures(brake.mean_difference, brake.standard_error);
    receipt.from_version = receipt.to_version = champion_->version;
    receipt.from_row = receipt.to_row = champion_->row;
    decide(std::move(receipt));
    return;
  }
  holding_ = false;
  const Snapshot snapshot = learning_.snapshot(champion_->version);
  if (snapshot.row == champion_->snapshot.row) return;
  champion_->snapshot = snapshot;
  champion_->row = row_;
  champion_->artifact.clear();
  ++counts_.refreshes;
}

void Pipeline::tick_probation() {
  if (!probation_) return;
  if (!probation_->concluded && probation_->evaluation.look_due()) {
    if (const auto verdict = probation_->evaluation.look(0)) {
      probation_->concluded = true;
      if (verdict->kind == VerdictKind::promote) {
        Decision receipt = new_decision(
            "rolled_back", "probation: the champion before answers better. " + verdict->sentence);
        receipt.figures = evaluation_figures(probation_->evaluation.figures(0));
        roll_back_to(*previous_, std::move(receipt));
        return;
      }
    }
  }
  if (probation_->rows >= config_.promote.probation.rows) end_probation();
}

void Pipeline::tick_verdicts() {
  // Looks wait while nothing may be promoted: an anytime-valid test loses nothing by it.
  if (paused_ || probation_) return;
  for (std::size_t i = 0; i < trials_.size();) {
    const std::uint64_t number = trials_[i].number;
    if (look(i)) return;
    if (i < trials_.size() && trials_[i].number == number) ++i;
  }
}

bool Pipeline::look(std::size_t trial) {
  Trial& looked = trials_[trial];
  if (!looked.evaluation.look_due()) return false;
  const auto verdict = looked.evaluation.look(counts_.promotions);
  if (!verdict) return false;
  const bool promotes = verdict->kind == VerdictKind::promote && config_.promote.automatic;
  conclude(trial, *verdict);
  return promotes;
}

void Pipeline::conclude(std::size_t index, const Verdict& verdict) {
  const std::uint64_t number = trials_[index].number;
  const std::uint64_t candidate = trials_[index].candidate;
  const bool challenger = trials_[index].challenger;
  const bool promote = verdict.kind == VerdictKind::promote;
  const std::string status = promote                               ? "promote"
                             : verdict.kind == VerdictKind::reject ? "reject"
                                                                   : "inconclusive";
  record_trial(trials_[index], status, verdict.reason, verdict.sentence);
  const std::string kind = !promote                    ? (status == "reject" ? "rejected" : status)
                           : config_.promote.automatic ? "promoted"
                                                       : "approval_requested";
  Decision receipt = new_decision(kind, verdict.sentence);
  receipt.evaluation = number;
  receipt.figures = evaluation_figures(trials_[index].evaluation.figures(counts_.promotions));
  receipt.from_version = champion_->version;
  receipt.from_row = champion_->row;
  receipt.to_version = candidate;
  for (ActiveLearner& learner : learners_) {
    if (learner.version == candidate) {
      learner.restart_row = row_ + config_.evaluate.restart_after_rows;
    }
  }
  if (promote && config_.promote.automatic) {
    promote_version(candidate, std::move(receipt));
    return;
  }
  decide(std::move(receipt));
  trials_.erase(trials_.begin() + static_cast<std::ptrdiff_t>(index));
  if (promote) return;
  ++(verdict.kind == VerdictKind::reject ? counts_.rejections : counts_.inconclusive);
  if (!challenger) drop_candidate(candidate, "rejected");
}

void Pipeline::tick_challengers() {
  if (!champion_ || row_ < first_champion_row_ + config_.evaluate.warmup_rows) return;
  for (ActiveLearner& learner : learners_) {
    if (trials_.size() >= config_.evaluate.in_flight) return;
    const bool running = std::any_of(trials_.begin(), trials_.end(), [&](const Trial& trial) {
      return trial.candidate == learner.version;
    });
    if (running || learner.version == champion_->version || learner.retiring || learner.stopped ||
        row_ < learner.restart_row) {
      continue;
    }
    std::vector<PairedLoss> recorded = scoreboard_.recorded(learner.version);
    if (recorded.size() < kCalibrationRows) continue;
    const std::uint64_t number = next_evaluation_++;
    trials_.push_back({number, learner.version, true, question_, row_,
                       Evaluation(evaluation_policy(watermark_), number, std::move(recorded))});
    ++counts_.candidates;
    record_trial(trials_.back(), "running", "", "");
  }
}

void Pipeline::tick_candidates() {
  for (std::size_t i = 0; i < candidates_.size();) {
    const std::uint64_t version = candidates_[i].version;
    if (!candidates_[i].joined && candidates_[i].join_row <= row_) join_candidate(candidates_[i]);
    if (i < candidates_.size() && candidates_[i].version == version) ++i;
  }
}

void Pipeline::tick_triggers() {
  for (std::size_t i = 0; i < config_.retrain.when.size(); ++i) {
    const TriggerSpec& trigger = config_.retrain.when[i];
    if (trigger_time_[i] == Watermark::kNone) trigger_time_[i] = watermark_;
    const bool by_rows = trigger.rows > 0 && row_ - trigger_row_[i] >= trigger.rows;
    const bool by_time = trigger.every > 0 && watermark_ - trigger_time_[i] >= trigger.every;
    if (!by_rows && !by_time) continue;
    trigger_row_[i] = row_;
    trigger_time_[i] = watermark_;
    const bool cooling = last_trigger_time_ != Watermark::kNone &&
                         watermark_ - last_trigger_time_ < config_.retrain.cooldown;
    if (!champion_ || paused_ || cooling) continue;
    last_trigger_time_ = watermark_;
    const std::string why = by_rows ? fmt::format("{} rows since the last", trigger.rows)
                                    : format_duration(trigger.every) + " since the last";
    for (const RetrainAction& action : config_.retrain.actions) {
      order_candidate(action, false, why);
    }
  }
}

void Pipeline::tick_anchor() {
  if (!anchor_row(row_)) return;
  for (const ActiveLearner& learner : learners_) {
    const bool followed = champion_ && followed_ && learner.version == champion_->version;
    if (followed || config_.keep) keep_anchor(learner.version);
  }
}

}  // namespace freshet
