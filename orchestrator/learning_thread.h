#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/feature_sets.h"
#include "orchestrator/learning.h"
#include "orchestrator/work_times.h"
#include "stream/row_store.h"
#include "trainer/learner.h"

namespace freshet {

/// Learning by LibTorch on two threads of its own: one on which the learners answer and learn
/// segment by segment, and one worker that trains frozen candidates over the stored rows.
/// Torch is loaded when the first learner starts.
class LearningThread : public Learning {
 public:
  /// `config` is the one that the pipeline began with. The feature sets of recipes are the store's
  /// columns, in the order in which they came.
  /// `store` is read on the pipeline thread only; the worker opens the file at `store_path`.
  LearningThread(const PipelineConfig& config, RowStore& store, std::string store_path);
  ~LearningThread() override;

  void use_recipes(const std::vector<Recipe>& recipes) override;
  void start(std::uint64_t version, std::size_t recipe, std::uint64_t seed,
             std::uint64_t next_row) override;
  void cut(std::uint64_t version, std::uint64_t learner) override;
  void order(const TrainingOrder& order) override;
  void collect(std::uint64_t version) override;
  void follow(std::uint64_t version, std::uint64_t next_row) override;
  void drop(std::uint64_t version) override;
  void post(const Segment& segment) override;
  void wait() override;
  void abandon() override;
  bool done() const override { return studied_.load(std::memory_order_acquire) > 0; }
  std::span<const float> answers(std::uint64_t version) const override;
  const Model* answered_by(std::uint64_t version) const override;
  Snapshot snapshot(std::uint64_t version) override;
  std::optional<std::string> stopped(std::uint64_t version) const override;
  std::string artifact(std::size_t recipe, const Snapshot& snapshot) const override;
  Snapshot from_artifact(const std::string& bytes, std::uint64_t row) const override;
  std::string save(std::uint64_t version) const override;
  void load(std::uint64_t version, std::size_t recipe, const std::string& state,
            bool takes_part) override;

  /// Makes the worker wait a random while before each order: for tests that prove that its speed
  /// changes no result.
  void delay_worker(std::uint64_t seed) { worker_delay_seed_ = seed; }
  /// Tells how long work takes (nullptr: nobody). Before the first learner; must outlive this.
  void tell(WorkTimes* times) { times_ = times; }

 private:
  /// How a learner stands at the end of a segment.
  struct Standing {
    std::vector<float> answers;
    std::shared_ptr<const Model> answered_by;  ///< all of them; none where several models did
    Snapshot snapshot;
    std::optional<std::string> stopped;
  };
  struct Student {
    std::unique_ptr<Learner> learner;
    std::size_t features = 0;  ///< which feature set it learns from
    bool takes_part = true;
    Standing standing;           ///< at the end of the segment last waited for
    std::deque<Standing> ahead;  ///< of segments studied since; under segment_mutex_
  };
  struct Order {
    TrainingOrder order;
    Recipe recipe;  ///< the worker's own
    ModelSpec spec;
    std::string features;  ///< identity of its feature set
    std::unique_ptr<Learner> trained;
    std::string error;
    bool done = false;
    bool dropped = false;
  };

  ModelSpec spec(const Recipe& recipe) const;
  std::size_t features(const Recipe& recipe) const;
  /// Rows with the vectors of one of the store's columns.
  static RowReader reader(RowStore& store, std::size_t column);
  static Standing standing(Learner& learner);
  Standing study(Student& student, const Segment& segment);
  bool unstudied() const { return !claimed_ && studied_ < posted_.size(); }
  /// Every learner studies the oldest unstudied segment. The lock, held on entry and on return, is
  /// free meanwhile.
  void study_next(std::unique_lock<std::mutex>& lock);
  /// All that was posted is studied: learners may be changed.
  void settle();
  /// Waits until so many segments are studied, or nobody studies.
  void await(std::unique_lock<std::mutex>& lock, std::size_t studied);
  void learn_loop(const std::stop_token& stop);
  void work_loop(const std::stop_token& stop);
  void train(Order& order);
  Student& student(std::uint64_t version);
  const Student& student(std::uint64_t version) const;

  const PipelineConfig& config_;
  RowStore& store_;
  const std::string store_path_;
  FeatureSets features_;
  std::vector<Recipe> recipes_;
  std::map<std::uint64_t, Student> students_;
  std::optional<std::uint64_t> worker_delay_seed_;
  WorkTimes* times_ = nullptr;

  std::mutex segment_mutex_;
  std::condition_variable_any posted_changed_;   ///< wakes the learning thread
  std::condition_variable_any studied_changed_;  ///< wakes who waits for it
  std::deque<const Segment*> posted_;            ///< under segment_mutex_: not waited for yet
  std::atomic<std::size_t> studied_ = 0;  ///< how many of them are; changed under segment_mutex_
  bool claimed_ = false;                  ///< under segment_mutex_: a thread studies the next one
  std::size_t awaited_ = 0;  ///< under segment_mutex_: wake whom when so many are studied
  std::string study_error_;  ///< under segment_mutex_

  mutable std::mutex order_mutex_;
  std::condition_variable_any order_changed_;
  std::map<std::uint64_t, std::shared_ptr<Order>> orders_;  ///< under order_mutex_

  std::jthread learn_thread_;  // last: they stop before what they use goes
  std::jthread work_thread_;
};

}  // namespace freshet
