#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "stream/event_log.h"

namespace freshet {

/// Reads a log's batches one after another, the next one ahead on a thread of its own: reading and
/// hashing go on beside whoever uses the records. Used by one thread, which leaves the log's other
/// functions alone meanwhile (use a reader of its own).
class ReadAhead {
 public:
  explicit ReadAhead(const EventLog& log);
  ~ReadAhead();

  /// The batch that holds `position`, which is below `head`; nothing from `head` on is read. Throws
  /// as EventLog::batch.
  std::shared_ptr<const RecordBatch> batch(std::uint64_t position, std::uint64_t head);
  /// What was read is read again: it may have been rewritten.
  void forget();

 private:
  void read_loop(const std::stop_token& stop);

  const EventLog& log_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<std::uint64_t> wanted_;       ///< under mutex_: position to be read, or being read
  std::shared_ptr<const RecordBatch> ahead_;  ///< under mutex_: what was read last
  std::exception_ptr error_;                  ///< under mutex_: or why it could not be
  std::jthread thread_;                       // last: stops before what it uses goes
};

}  // namespace freshet
