#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/event_log.h"
#include "stream/kafka_source.h"

namespace freshet {

class Ingest;  // its header has another Outcome than tests of the program

/// An event of these tests: `part` and `n` say where it was produced. There is no id, so that
/// nothing but the offsets keeps a record from coming twice.
Schema numbered_schema();
std::string numbered(int part, int n, Millis time);

/// A log in memory's place: in a file of `folder`, filled from Kafka as the program does it.
class Reading {
 public:
  Reading(const std::string& log_path, const Schema& schema, const KafkaInput& input);
  ~Reading();

  /// Reads to the partitions' ends with a source of its own, as `run` does.
  void drain(std::size_t chunk = 100);
  /// The error that this gives; "none" if there is none.
  std::string refusal();
  /// Reads for ever with one source, as `serve` does, until `done`; false after a minute.
  bool follow(const std::function<bool()>& done);

  /// Reads for ever with one source, once.
  bool step();

  /// Ends that source.
  void leave() { source_.reset(); }

  SourceState state() const { return source_ ? source_->state() : SourceState(); }
  EventLog& log() { return *log_; }
  KafkaInput& input() { return input_; }
  const std::vector<std::string>& notices() const { return notices_; }
  /// The log's head when it was last to be put on disk.
  std::uint64_t synced() const { return synced_; }

 private:
  std::unique_ptr<Source> open(bool until_end);

  const Schema schema_;
  KafkaInput input_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<Source> source_;
  std::vector<std::string> notices_;
  std::uint64_t synced_ = 0;
};

/// The numbers that each part has in the log, in the log's order.
std::vector<std::vector<int>> numbers_in(const EventLog& log, const Schema& schema, int parts);
/// The position of the first event that a champion of pipeline "turning" was asked.
std::uint64_t first_answered(const std::string& workspace);
/// 0, 1, … count-1.
std::vector<int> counting(int count);

}  // namespace freshet
