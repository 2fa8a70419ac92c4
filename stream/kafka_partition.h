#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event.h"
#include "stream/jsonl_source.h"
#include "stream/kafka_client.h"
#include "stream/schema.h"
#include "stream/source.h"
#include "stream/watermark.h"

namespace freshet {

/// One partition of a topic and its next record, read but not yet handed over. Used by one thread.
class PartitionReader {
 public:
  using Clock = std::chrono::steady_clock;

  /// `progress`: where it goes on, if `known`; else `at.offset` says where it begins.
  PartitionReader(KafkaPartition at, bool labels, const Schema& schema,
                  const SourceProgress& progress, bool known);
  PartitionReader(const PartitionReader&) = delete;  // the event views the decoder
  PartitionReader& operator=(const PartitionReader&) = delete;

  const KafkaPartition& at() const { return at_; }
  SourceProgress progress() const;  ///< up to what was handed over
  /// What was handed over is in the log.
  void note_stored() { stored_ = progress_.offset; }
  /// The offset that the log goes on at; nullopt: what it was given here is not known to be there.
  std::optional<std::uint64_t> stored() const { return stored_; }
  /// Whether `progress` says where to go on.
  bool known() const { return known_; }
  bool full() const { return head_.has_value(); }
  bool is_bad() const { return !reason_.empty(); }
  Millis time() const { return event_.time; }
  bool finished() const { return finished_; }
  void look_again() { dry_ = false; }

  /// Whether its next record is unknown, and may be earlier than the others'.
  bool holds(Clock::time_point now, Millis idle_after) const;
  /// To which event time it has come, if it counts: nullopt when it is finished, or has stood at
  /// its end for `idle_after`, as its broker said; Watermark::kNone before its first record.
  std::optional<Millis> reached(Millis idle_after) const;
  /// Whether nothing has come for `time`, and something may.
  bool is_silent(Clock::time_point now, Clock::duration time) const;
  /// Its broker was asked at `asked` where it ends; -1: it did not answer.
  void ends_at(std::int64_t end, Clock::time_point asked, Millis idle_after);
  /// What keeps it from being read, if anything does.
  std::string trouble() const;
  /// How often an error came in the place of records.
  std::uint64_t errors() const { return errors_; }
  /// Reads the next record unless there is one, or none has come. `index` is the client's.
  /// `until_end`: finished where the partition ended when it was first read.
  /// Throws Error{conflict} for offsets that are gone, and what no waiting mends.
  void fill(KafkaClient& client, std::size_t index, bool until_end);
  /// The next record's time is one that can be.
  void note_time() { newest_ = std::max(newest_, event_.time); }
  /// `reached`: how far event time has come with it.
  void hand_over(RecordSink& sink, Millis reached);

 private:
  void go_on_at(std::int64_t offset);
  void note_heard();
  void take_error(const KafkaMessage& message, const KafkaClient& client);
  void take(KafkaMessage message, KafkaClient& client, bool until_end);
  void take_record(KafkaMessage message);
  std::string decode();
  std::string_view envelope(const std::string& field);
  std::string place() const;
  [[noreturn]] void refuse_gap(KafkaClient& client) const;

  const KafkaPartition at_;
  JsonlDecoder decoder_;
  const std::vector<std::string> fields_;  ///< of the envelope, beside the JSON value
  std::vector<std::string_view> values_;
  std::vector<std::string> own_;  ///< what `values_` views and the message has not as text
  SourceProgress progress_;       ///< up to what was handed over, but for its header
  bool known_;
  std::optional<std::uint64_t> stored_;
  std::uint64_t tombstones_ = 0;
  std::vector<KafkaMessage> waiting_;
  std::size_t next_ = 0;
  std::optional<KafkaMessage> head_;
  Event event_;
  std::string reason_;  ///< empty: the head is an event
  bool dry_ = false;    ///< nothing had come when it was last looked at
  bool at_end_ = false;
  bool finished_ = false;
  std::optional<std::int64_t> end_;  ///< `until_end`: where it ended at first; -1: unknown
  Clock::time_point heard_;          ///< when a record or its end came
  /// Since when it is known to stand at its end, and when its broker last said so.
  std::optional<Clock::time_point> at_end_since_;
  Clock::time_point at_end_until_;
  bool away_ = false;  ///< its broker did not answer when it was last asked
  std::string error_;  ///< that came in the place of records
  std::uint64_t errors_ = 0;
  std::string told_;                  ///< of those the last that was said
  Millis newest_ = Watermark::kNone;  ///< event time handed over
};

}  // namespace freshet
