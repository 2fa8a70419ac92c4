#include <fmt/format.h>

#include <utility>

#include "orchestrator/build_identity.h"
#include "orchestrator/pipeline.h"
#include "orchestrator/receipts.h"
#include "trainer/train_step.h"

namespace freshet {

Decision Pipeline::new_decision(const std::string& kind, const std::string& reason) const {
  Decision receipt;
  receipt.kind = kind;
  receipt.actor = "policy";
  receipt.reason = reason;
  receipt.figures = "{}";
  receipt.row = row_;
  receipt.position = position_;
  receipt.time = watermark_;
  receipt.config_hash = config_hash_;
  return receipt;
}

void Pipeline::decide(Decision receipt) {
  receipt.sequence = next_decision_++;
  if (receipt.kind != "held_back") checkpoint_due_ = true;
  news_.push_back(receipt);
  pending_.decisions.push_back(std::move(receipt));
}

EvaluationRecord Pipeline::describe(const Trial& trial) const {
  EvaluationRecord record;
  record.number = trial.number;
  record.candidate = trial.candidate;
  record.champion = champion_ ? champion_->version : 0;
  record.status = "running";
  record.policy = evaluation_policy_json(trial.evaluation.policy());
  record.figures = evaluation_figures(trial.evaluation.figures(counts_.promotions));
  record.series = evaluation_series(trial.evaluation.series());
  record.start_question = trial.start_question;
  record.start_row = trial.start_row;
  record.end_row = row_;
  return record;
}

std::vector<EvaluationRecord> Pipeline::running_evaluations() const {
  std::vector<EvaluationRecord> records;
  for (const Trial& trial : trials_) records.push_back(describe(trial));
  return records;
}

std::uint64_t Pipeline::missing_rows() const {
  if (champion_) return 0;
  const std::uint64_t settled = scoreboard_.settled_rows();
  const std::uint64_t warmup = config_.evaluate.warmup_rows;
  return settled < warmup ? warmup - settled : config_.tick_rows;
}

void Pipeline::record_trial(const Trial& trial, const std::string& status,
                            const std::string& reason, const std::string& sentence) {
  EvaluationRecord record = describe(trial);
  record.status = status;
  record.reason = reason;
  record.sentence = sentence;
  std::erase_if(pending_.evaluations,
                [&](const EvaluationRecord& other) { return other.number == record.number; });
  pending_.evaluations.push_back(std::move(record));
}

Lineage Pipeline::describe(std::size_t recipe, std::uint64_t seed, Lineage lineage) const {
  lineage.recipe = recipe_json(config_, recipes_[recipe]);
  lineage.recipe_name = recipes_[recipe].name;
  lineage.feature_identity =
      asker_.features()[asker_.features().index_of(config_.schema, recipes_[recipe])].identity();
  lineage.seed = seed;
  lineage.build = build_identity();
  lineage.profile = isa_profile();
  return lineage;
}

std::uint64_t Pipeline::add_version(std::size_t recipe, Lineage lineage,
                                    const std::string& status) {
  KnownVersion known;
  known.record.number = next_version_++;
  known.recipe = recipe;
  known.features = asker_.features().index_of(config_.schema, recipes_[recipe]);
  known.record.lineage = std::move(lineage);
  known.record.status = status;
  known.record.created_row = row_;
  known.record.created_time = watermark_;
  pending_.versions.push_back(known.record);
  const std::uint64_t number = known.record.number;
  versions_.emplace(number, std::move(known));
  return number;
}

std::size_t Pipeline::features_of(std::uint64_t version) const {
  return versions_.at(version).features;
}

void Pipeline::set_status(std::uint64_t version, const std::string& status) {
  KnownVersion& known = versions_.at(version);
  known.record.status = status;
  std::erase_if(pending_.versions, [&](const Version& other) { return other.number == version; });
  pending_.versions.push_back(known.record);
}

EvaluationPolicy Pipeline::evaluation_policy(Millis started) const {
  return freshet::evaluation_policy(config_, started - first_time_);
}

}  // namespace freshet
