#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/learning.h"
#include "stream/row_store.h"
#include "trainer/learner.h"

namespace freshet {

/// Learning by LibTorch on two threads of its own: one on which the learners answer and learn
/// segment by segment, and one worker that trains frozen candidates over the stored rows.
/// Torch is loaded when the first learner starts.
class LearningThread : public Learning {
 public:
  /// `store` is read on the pipeline thread only; the worker opens the file at `store_path`.
  LearningThread(const PipelineConfig& config, RowStore& store, std::string store_path);
  ~LearningThread() override;

  void start(std::uint64_t version, std::size_t recipe, std::uint64_t seed,
             std::uint64_t next_row) override;
  void cut(std::uint64_t version, std::uint64_t learner) override;
  void order(const TrainingOrder& order) override;
  void collect(std::uint64_t version) override;
  void follow(std::uint64_t version, std::uint64_t next_row) override;
  void drop(std::uint64_t version) override;
  void post(const Segment& segment) override;
  void wait() override;
  bool done() const override { return !studying_.load(std::memory_order_acquire); }
  std::span<const float> answers(std::uint64_t version) const override;
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

 private:
  struct Student {
    std::unique_ptr<Learner> learner;
    bool takes_part = true;
    std::vector<float> answers;
    Snapshot snapshot;  ///< cached until the learner learns
    std::uint64_t snapshot_end = 0;
  };
  struct Order {
    TrainingOrder order;
    std::unique_ptr<Learner> trained;
    std::string error;
    bool done = false;
    bool dropped = false;
  };

  ModelSpec spec(std::size_t recipe) const;
  RowReader reader(RowStore& store) const;
  void study(Student& student, const Segment& segment);
  /// Every learner studies the posted segment. The lock, held on entry and on return, is free
  /// meanwhile.
  void study_posted(std::unique_lock<std::mutex>& lock);
  void learn_loop(const std::stop_token& stop);
  void work_loop(const std::stop_token& stop);
  void train(Order& order);
  Student& student(std::uint64_t version);
  const Student& student(std::uint64_t version) const;

  const PipelineConfig& config_;
  RowStore& store_;
  const std::string store_path_;
  const FeatureLayout layout_;
  std::map<std::uint64_t, Student> students_;
  std::optional<std::uint64_t> worker_delay_seed_;

  std::mutex segment_mutex_;
  std::condition_variable_any segment_changed_;
  const Segment* segment_ = nullptr;  ///< under segment_mutex_: posted, or being studied
  bool claimed_ = false;              ///< under segment_mutex_: a thread studies segment_
  std::atomic<bool> studying_ = false;
  std::string study_error_;

  mutable std::mutex order_mutex_;
  std::condition_variable_any order_changed_;
  std::map<std::uint64_t, std::shared_ptr<Order>> orders_;  ///< under order_mutex_

  std::jthread learn_thread_;  // last: they stop before what they use goes
  std::jthread work_thread_;
};

}  // namespace freshet
