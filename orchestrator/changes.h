#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace freshet {

/// What moved in a service, for those who watch: numbered upwards, also across restarts (numbers
/// are below 2^53), the newest 1,024 kept.
/// Thread-safe.
class Changes {
 public:
  struct Change {
    std::uint64_t id = 0;
    std::string data;  ///< one JSON object
  };

  Changes();
  void publish(std::string data);
  /// The newest number.
  std::uint64_t last() const;
  /// Changes after `id`, oldest first; waits for one at most so long. What is no longer kept is
  /// left out: whoever reads what changed misses nothing. An `id` that was never given waits as
  /// if it were the newest.
  std::vector<Change> after(std::uint64_t id, std::chrono::milliseconds wait) const;
  /// Wakes all who wait, now and from now on.
  void close();

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Change> kept_;
  std::uint64_t last_ = 0;
  bool closed_ = false;
};

}  // namespace freshet
