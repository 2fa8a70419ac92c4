#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stream/kafka_input.h"
#include "stream/schema.h"
#include "stream/source.h"

namespace freshet {

/// How topics are read in one run.
struct KafkaReading {
  std::string group;       ///< under which offsets are committed for those who watch lag
  bool until_end = false;  ///< ends where the partitions ended when they were first asked
  /// How long no broker may answer at first; 0: for ever. One that is lost later is waited for.
  std::chrono::milliseconds give_up_after{0};
  std::function<void(const std::string&)> notice;  ///< hears of brokers lost and found again
  /// Puts all that the log has on disk, before a group hears of it; empty: it always is.
  std::function<void()> sync;
};

/// Events, and perhaps labels, from Apache Kafka: JSON values by `JsonlDecoder`, and of each record
/// `$key`, `$headers.NAME`, `$timestamp`, `$partition` and `$offset` as fields of the config.
///
/// A partition goes on at `stored` (what the log has; see `kafka_progress_name`), and only the
/// first time at `KafkaInput::start`: stored together with the records, offsets make each record
/// come once, whatever dies when. Partitions are merged by event time: of their next records the
/// earliest, events before labels; one that is at its end, or silent for `idle_after`, is not
/// waited for. It holds event time back until it has stood at its end for `idle_after`, as its
/// broker said. Records without a value (tombstones) are passed over, counted in `header`, beside
/// the newest event time.
///
/// `poll` waits for brokers that can't be reached; it throws Error{not_found} for a topic that is
/// not there, Error{conflict} for offsets that are gone (naming them, and the command that accepts
/// the loss) and for another cluster, Error{invalid} for credentials that are refused and for
/// events without times of their own. The same error comes again at the next call.
std::unique_ptr<Source> kafka_source(const KafkaInput& input, const Schema& schema,
                                     const std::vector<SourceProgress>& stored,
                                     KafkaReading reading);

/// The group under which a pipeline's offsets are committed, unless its settings name another.
std::string kafka_group(const std::string& pipeline);

/// The name under which a partition's progress stands in the log: "kafka:tx/0".
std::string kafka_progress_name(const std::string& topic, std::uint32_t partition);

/// Records without a value that a partition's progress has passed over.
std::uint64_t kafka_tombstones(const SourceProgress& progress);

/// The newest event time that a partition has come to; Watermark::kNone before its first, and of
/// other sources.
Millis kafka_newest_time(const SourceProgress& progress);

}  // namespace freshet
