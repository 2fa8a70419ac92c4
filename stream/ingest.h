#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "stream/event_log.h"
#include "stream/schema.h"
#include "stream/source.h"

namespace freshet {

/// What becomes of a record.
enum class Outcome : std::uint8_t {
  accepted,
  duplicate,    ///< its id was seen within `dedup_within`
  late,         ///< an event behind the watermark by more than `allowed_lateness`
  dead_letter,  ///< refused
};

/// From sources into the log: drops duplicates, sets late events and impossible time jumps aside,
/// and appends what is left together with how far the source was read, in one transaction.
///
///   Ingest ingest(schema, log);         // recovers the ids it must know from the log
///   while (ingest.pump(source, 4096) == PollStatus::ready) {}
///
/// What is accepted depends only on the sequence of records, never on how it was cut into polls.
/// Order of the checks for an event: duplicate id (within `dedup_within`), time jump, lateness.
/// Used by one thread.
class Ingest {
 public:
  Ingest(const Schema& schema, EventLog& log);
  ~Ingest();

  /// Polls once and appends what came; durable on return. Throws `Error{invalid}` when more than
  /// `max_bad_share` of the last 1,000 records (once there are 100) were dead letters, after
  /// having stored them. Sources that don't end on bad records count in none of this.
  ///
  /// What the log refused to append is tried again by the next call. What failed amid a record (the
  /// ids in the log cannot be read, no memory) is thrown by each call from then on, with nothing of
  /// that poll stored: the source has gone beyond it, another Ingest begins where the log says.
  PollStatus pump(Source& source, std::size_t max_records);

  /// Whether what `pump` threw last is of the log, not of the source.
  bool log_failed() const;

  /// Hears of each record, in order, while it is polled: what will have become of it when `pump`
  /// returns, and why (empty if accepted).
  using OnOutcome = std::function<void(Outcome outcome, const std::string& reason)>;
  void on_outcome(OnOutcome each);

  /// Appends the record that ends the stream (`run --final`); nothing is accepted after it.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
