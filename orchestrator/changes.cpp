#include "orchestrator/changes.h"

#include <algorithm>
#include <utility>

namespace freshet {

namespace {

constexpr std::size_t kKept = 1024;

}  // namespace

// Numbers go on across restarts, so that a client's last one still says what it has missed.
Changes::Changes()
    : last_(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                           std::chrono::system_clock::now().time_since_epoch())
                                           .count()) *
            1000) {}

void Changes::publish(std::string data) {
  {
    const std::lock_guard lock(mutex_);
    kept_.push_back({++last_, std::move(data)});
    if (kept_.size() > kKept) kept_.pop_front();
  }
  changed_.notify_all();
}

std::uint64_t Changes::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::vector<Changes::Change> Changes::after(std::uint64_t id,
                                            std::chrono::milliseconds wait) const {
  std::unique_lock lock(mutex_);
  const std::uint64_t from = std::min(id, last_);
  changed_.wait_for(lock, wait, [&] { return closed_ || last_ > from; });
  const auto first = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const Change& change) { return change.id > from; });
  return {first, kept_.end()};
}

void Changes::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

}  // namespace freshet
