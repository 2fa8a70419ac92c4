#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>

#include "stream/event_log.h"
#include "stream/seen_ids.h"

namespace freshet {

/// The ids of a log's horizon, those of earlier runs included. A thread of its own reads the stored
/// ones, so that a start takes no longer for more of them: until it has, a few ids are looked for
/// in what is stored, at a millisecond or so for 100,000 of them, and then the thread is waited
/// for. What is known is the same either way. Used by one thread; the log must outlive it.
class KnownIds {
 public:
  /// `horizon`: the least that any later call will give.
  KnownIds(const EventLog& log, Millis horizon);
  ~KnownIds();
  KnownIds(const KnownIds&) = delete;
  KnownIds& operator=(const KnownIds&) = delete;

  /// Was `id` stored or remembered with a time at or after `horizon`? Throws what the log throws
  /// for stretches that cannot be read.
  bool known(const IdHash& id, Millis horizon);

  void remember(const IdHash& id, Millis time, Millis horizon);

 private:
  void load(std::uint64_t count);
  bool is_stored(const IdHash& id, Millis horizon) const;

  const EventLog& log_;
  const Millis horizon_;
  SeenIds ids_;     ///< while stored ones are read, those remembered since
  SeenIds stored_;  ///< the reading thread's
  std::size_t looked_for_ = 0;
  std::atomic<bool> stop_ = false;
  std::shared_future<void> loading_;  ///< invalid once ids_ has them all
};

}  // namespace freshet
