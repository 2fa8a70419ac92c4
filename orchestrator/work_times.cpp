#include "orchestrator/work_times.h"

#include <algorithm>

namespace freshet {

void Durations::add(std::chrono::steady_clock::duration taken) {
  const double seconds = std::chrono::duration<double>(taken).count();
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  const std::lock_guard lock(mutex_);
  ++seen_.counts[static_cast<std::size_t>(bound)];
  seen_.seconds += seconds;
}

Durations::Seen Durations::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

}  // namespace freshet
