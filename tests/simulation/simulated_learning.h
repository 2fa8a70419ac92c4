#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "orchestrator/learning.h"

namespace freshet {

/// The learning side of a pipeline without learning: every model answers with the value of one slot
/// of the feature vector, where the stream has planted its answer. Learner i reads slot i; frozen
/// candidates read the slots behind the learners', in turn. Used by the pipeline thread.
class SimulatedLearning : public Learning {
 public:
  /// Vectors have `slots` slots; `learners` of them are the learners'.
  SimulatedLearning(std::size_t slots, std::size_t learners) : slots_(slots), learners_(learners) {}

  void use_recipes(const std::vector<Recipe>& /*recipes*/) override {}
  void start(std::uint64_t version, std::size_t recipe, std::uint64_t seed,
             std::uint64_t next_row) override;
  void cut(std::uint64_t version, std::uint64_t learner) override;
  void order(const TrainingOrder& order) override;
  void collect(std::uint64_t version) override;
  void follow(std::uint64_t version, std::uint64_t next_row) override;
  void drop(std::uint64_t version) override;
  void post(const Segment& segment) override { posted_.push_back(&segment); }
  void wait() override;
  void abandon() override { posted_.clear(); }
  std::size_t posted() const { return posted_.size(); }
  bool done() const override { return true; }
  std::span<const float> answers(std::uint64_t version) const override;
  const Model* answered_by(std::uint64_t /*version*/) const override { return nullptr; }
  Snapshot snapshot(std::uint64_t version) override;
  std::optional<std::string> stopped(std::uint64_t version) const override;
  std::string artifact(std::size_t recipe, const Snapshot& snapshot) const override;
  Snapshot from_artifact(const std::string& bytes, std::uint64_t row) const override;
  std::string save(std::uint64_t version) const override;
  void load(std::uint64_t version, std::size_t recipe, const std::string& state,
            bool takes_part) override;

 private:
  struct Student {
    std::uint64_t slot = 0;
    std::uint64_t end = 0;  ///< it would have learned rows below this one
    bool takes_part = true;
    std::vector<float> answers;
  };

  Snapshot make(std::uint64_t slot, std::uint64_t row) const;

  const std::size_t slots_;
  const std::size_t learners_;
  std::size_t orders_ = 0;
  std::map<std::uint64_t, Student> students_;
  std::deque<const Segment*> posted_;  ///< not waited for yet
};

}  // namespace freshet
