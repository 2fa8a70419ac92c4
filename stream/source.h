#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event.h"

namespace freshet {

/// Where a record came from, for dead letters and messages.
struct Origin {
  std::uint64_t line = 0;          ///< 1-based line (or record) number in its input
  std::string_view raw;            ///< the record's bytes as they were read; at most 1 MiB
  std::string_view input;          ///< its input's name; empty: the source has only one
  std::string_view unit = "line";  ///< what `line` counts: "offset" of a partition, from 0 on
};

/// Takes what a source reads, record by record, in order. Views are valid during the call only.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void event(const Event& event, const Origin& origin) = 0;
  virtual void bad(const Origin& origin, const std::string& reason) = 0;
  /// No record, but event time has come to `all`: what held it back went idle, or ended.
  virtual void time_reached(Millis /*all*/) {}
};

/// How far one input was read; stored in the log in the same transaction as its events.
struct SourceProgress {
  std::string name;           ///< as given by the user: path, or "-"
  std::string identity;       ///< tells a replaced file: size-independent hash of its first bytes
  std::uint64_t offset = 0;   ///< bytes (of the decompressed stream) read, at a record's end; of a
                              ///< Kafka partition the next offset
  std::uint64_t records = 0;  ///< records read, bad ones included
  std::string rolling_hash;   ///< of all records' bytes so far (sha256 chain; standard input)
  std::string header;         ///< CSV: the header line, needed to go on; Kafka: tombstones passed
                              ///< and the newest event time, if any

  bool operator==(const SourceProgress&) const = default;
};

enum class PollStatus {
  ready,  ///< records were given, more may follow at once
  idle,   ///< nothing now, maybe later (a followed file)
  ended,  ///< nothing will follow
};

/// How a source that others feed stands now; nothing is decided by it.
struct SourceState {
  struct Part {
    std::string input;          ///< as its progress is named
    std::uint64_t next = 0;     ///< to be read next
    std::uint64_t end = 0;      ///< where it ended when its broker was last heard of
    std::uint64_t records = 0;  ///< read so far, bad ones included; of all runs
  };

  std::string trouble;       ///< why nothing comes; empty: all is well
  std::uint64_t errors = 0;  ///< of brokers and partitions, since it was opened
  std::vector<Part> parts;
};

/// Reads one input, decodes and validates each record against the schema, and hands it to a sink.
/// Bad records go to `RecordSink::bad` and never end the input. Used by one thread.
class Source {
 public:
  virtual ~Source() = default;

  /// Hands over at most `max_records` records; blocks no longer than about 100 ms.
  /// Throws `Error{unavailable}` when the input cannot be read.
  virtual PollStatus poll(std::size_t max_records, RecordSink& sink) = 0;

  /// Whether too many bad records (`max_bad_share`), or times that jump, end it.
  virtual bool ends_on_bad_records() const { return true; }

  /// Where to go on after the last record handed over: one for each input (a merged source has
  /// two).
  virtual std::vector<SourceProgress> progress() const = 0;

  /// All that was handed over is in the log: told after a poll, and true whenever there is a poll.
  virtual void stored() {}

  /// Files have none.
  virtual SourceState state() const { return {}; }
};

}  // namespace freshet
