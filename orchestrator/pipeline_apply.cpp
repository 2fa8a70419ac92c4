#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "orchestrator/pipeline.h"
#include "orchestrator/receipts.h"

namespace freshet {

bool Pipeline::in_force(const Recipe& recipe) const {
  return std::find(config_.learners.begin(), config_.learners.end(), recipe) !=
         config_.learners.end();
}

void Pipeline::apply_config(const PipelineConfig& next, const std::string& reason) {
  std::string changes;
  std::string refused;
  for (const ConfigDifference& d : differences(config_, next)) {
    changes += (changes.empty() ? "" : "; ") + d.path + ": " + d.from + " -> " + d.to;
    if (d.means == kMeansNewWorkspace) refused += (refused.empty() ? "" : ", ") + d.path;
  }
  if (!refused.empty()) {
    throw Error(ErrorKind::conflict,
                fmt::format("{} cannot change in this workspace: what is recorded depends on it; "
                            "run the new config over the same log in a new one: freshet run CONFIG "
                            "--from-log W --workspace NEW",
                            refused));
  }
  for (const Recipe& recipe : next.learners) asker_.add_features(recipe, kept_.question);
  if (champion_) supersede_trials(0);
  config_ = next;
  config_hash_ = freshet::config_hash(config_);
  cuts_ = makes_cuts(config_);
  trigger_row_.assign(config_.retrain.when.size(), row_);
  trigger_time_.assign(config_.retrain.when.size(), watermark_);
  scoreboard_.config_changed();
  Decision receipt = new_decision("policy", reason + " (" + changes + ")");
  receipt.actor = "operator";
  decide(std::move(receipt));
  drop_stale_candidates();
  stop_learners();
  start_learners();
}

void Pipeline::drop_stale_candidates() {
  for (std::size_t i = candidates_.size(); i-- > 0;) {
    const Candidate& candidate = candidates_[i];
    if (in_force(recipes_[candidate.recipe])) continue;
    const std::uint64_t version = candidate.version;
    refuse_candidate(candidate, fmt::format("version {} dropped: its recipe is no longer in the "
                                            "config",
                                            version));
    drop_candidate(version, "dropped");
  }
}

// The champion's learner is followed until another version serves: a frozen copy would go stale.
void Pipeline::stop_learners() {
  for (std::size_t i = learners_.size(); i-- > 0;) {
    ActiveLearner& learner = learners_[i];
    if (in_force(recipes_[learner.recipe])) continue;
    if (learner.retiring) continue;
    if (champion_ && champion_->version == learner.version) {
      learner.retiring = true;
    } else {
      retire(i);
    }
  }
}

// A new learner learns all recorded rows in their order before anything else happens; its answers,
// and with them its evidence, begin with the next question.
void Pipeline::start_learners() {
  for (const Recipe& recipe : config_.learners) {
    const auto learner =
        std::find_if(learners_.begin(), learners_.end(), [&](const ActiveLearner& active) {
          const bool serves = champion_ && champion_->version == active.version;
          return recipes_[active.recipe] == recipe && (!active.retiring || serves);
        });
    if (learner != learners_.end()) {
      learner->retiring = false;
      continue;
    }
    if (std::find(recipes_.begin(), recipes_.end(), recipe) == recipes_.end()) {
      recipes_.push_back(recipe);
      learning_.use_recipes(recipes_);
    }
    const std::uint64_t version = start_learner(recipe_index(recipe.name));
    learning_.follow(version, row_);
    Decision receipt =
        new_decision("learner_started",
                     fmt::format("version {} ({}) has learned rows [{}, {}) and learns on; its "
                                 "evidence starts here",
                                 version, recipe.name, kept_.row, row_));
    receipt.to_version = version;
    decide(std::move(receipt));
  }
}

std::size_t Pipeline::recipe_index(const std::string& name) const {
  const auto learner = std::find_if(config_.learners.begin(), config_.learners.end(),
                                    [&](const Recipe& recipe) { return recipe.name == name; });
  if (learner == config_.learners.end()) {
    throw Error(ErrorKind::invalid, "the config has no learner " + name);
  }
  const auto found = std::find(recipes_.begin(), recipes_.end(), *learner);
  return static_cast<std::size_t>(found - recipes_.begin());
}

void Pipeline::retire(std::size_t learner) {
  const std::uint64_t version = learners_[learner].version;
  versions_.at(version).record.stopped_row = row_;
  set_status(version, "retired");
  scoreboard_.forget(version);
  learning_.drop(version);
  learners_.erase(learners_.begin() + static_cast<std::ptrdiff_t>(learner));
}

}  // namespace freshet
