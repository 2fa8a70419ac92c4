#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace freshet {

/// Threads that do tasks, first come first served. One is there from the start, another comes
/// whenever a task finds none idle, up to a limit; they stay. `submit` is thread-safe. Tasks must
/// not throw.
class Workers {
 public:
  explicit Workers(std::size_t limit);
  /// Does what was submitted, then ends.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// The queue is as long as its users let it become.
  void submit(std::function<void()> task);

 private:
  void work();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::size_t idle_ = 0;
  bool is_ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace freshet
