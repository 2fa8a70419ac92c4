#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace freshet {

/// What a workspace takes on disk, and what room there is.
struct DiskUse {
  std::map<std::string, std::uint64_t> bytes;  ///< by kind: artifacts, backtests, log, other,
                                               ///< registry, rows
  std::uint64_t free_bytes = 0;                ///< of the file system, for this user
  std::uint64_t size_bytes = 0;                ///< of the file system

  std::uint64_t total() const;
};

/// Throws Error{unavailable} when the folder can't be listed; files that go meanwhile don't count.
DiskUse disk_use(const std::string& folder);

/// What to say of the room left, when the workspace grew by `growth_bytes` within an hour: empty
/// while there is more than that, and more than 1 GiB or a twentieth of a smaller file system.
std::string room_warning(const std::string& folder, const DiskUse& use, std::uint64_t growth_bytes);

/// "1.2 GB"
std::string size_text(std::uint64_t bytes);

/// Looks at a workspace's disk use now and then. Nothing is decided by it. Thread-safe.
class DiskWatch {
 public:
  using Clock = std::chrono::steady_clock;
  struct State {
    DiskUse use;
    std::uint64_t growth_bytes = 0;  ///< within the last hour, or since the first look
    std::string warning;             ///< empty: there is room
  };

  explicit DiskWatch(std::string folder) : folder_(std::move(folder)) {}

  /// As of at most 10 s before `now`.
  State state(Clock::time_point now = Clock::now());
  /// A warning that did not hold when this was asked before. For one thread.
  std::optional<std::string> news();

 private:
  const std::string folder_;
  std::mutex mutex_;
  State state_;  ///< under mutex_
  std::deque<std::pair<Clock::time_point, std::uint64_t>>
      totals_{};  ///< a minute apart, of an hour
  Clock::time_point looked_at_{};
  bool told_ = false;
};

}  // namespace freshet
