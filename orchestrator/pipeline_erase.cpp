#include <algorithm>
#include <utility>

#include "orchestrator/erasure_json.h"
#include "orchestrator/pipeline.h"

namespace freshet {

// The command holds where the data stand, not what they are: done again after a crash, it finds
// them wherever the first time had got to.
Decision Pipeline::erase(const CommandRecord& command) {
  const RecordedErasure recorded = parse_erasure(command.arguments);
  const auto vector_of = [&](const Event& event, std::uint64_t features, std::span<float> out) {
    const FeatureSets& sets = asker_.features();
    const std::size_t set = sets.index_of_served(features);
    std::fill(out.begin(), out.end(), 0.0F);
    if (set < sets.size() && sets[set].width() == out.size()) sets[set].ask(event, out);
  };
  journal_.erase(recorded.erasure, config_.schema, vector_of);
  asker_.erase(recorded.erasure.positions());
  forget_learned_rows();
  Decision receipt = new_decision("erased", command.reason);
  receipt.actor = "operator";
  receipt.figures = recorded.figures;
  decide(std::move(receipt));
  applied_command_ = command.sequence;
  return news_.back();
}

// What is replayed from memory was read before; as a restart would, all read it again.
void Pipeline::forget_learned_rows() {
  store_.flush();
  store_.sync();
  for (const ActiveLearner& learner : learners_) {
    learning_.load(learner.version, learner.recipe, learning_.save(learner.version), true);
  }
  for (const Candidate& candidate : candidates_) {
    if (candidate.collected || candidate.kind == RetrainKind::cut) {
      const std::string state = learning_.save(candidate.version);
      learning_.load(candidate.version, candidate.recipe, state, false);
    } else {
      learning_.drop(candidate.version);
      place_order(candidate);
    }
  }
}

}  // namespace freshet
