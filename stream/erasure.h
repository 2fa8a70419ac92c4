#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event.h"
#include "stream/event_log.h"
#include "stream/schema.h"

namespace freshet {

/// What tells which events are a person's: the value of a field, or the event's id.
struct ErasureKey {
  std::optional<std::size_t> field;  ///< index into the schema's fields; none: the id
  std::string text;                  ///< the value as it was typed
  double number = 0;                 ///< of a field that is no text
};

/// FIELD=VALUE, id=VALUE, or the VALUE of an id that has no "=". Throws Error{invalid} for an
/// unknown field, naming the nearest, and for a value that is none of its kind; never repeats the
/// value.
ErasureKey parse_erasure_key(const std::string& key, const Schema& schema);

/// Where a person's data stand in a log. It holds none of them: it may be recorded.
struct Erasure {
  /// Positions of the events and label records, ascending, together where they share an id.
  std::vector<std::vector<std::uint64_t>> records;
  std::vector<LetterRewrite> dead_letters;
  std::vector<LetterRewrite> late_events;

  bool empty() const { return records.empty() && dead_letters.empty() && late_events.empty(); }
  /// Of all records, ascending.
  std::vector<std::uint64_t> positions() const;
};

/// Finds what matches below `end`: every record of an id that a matching event has, and what was
/// refused and holds the value as a word. Reads the whole log. Throws as EventLog::read.
Erasure find_erasure(const EventLog& log, const Schema& schema, const ErasureKey& key,
                     std::uint64_t end);

/// What an event at `time` becomes: no field is there any more.
Event erased_event(const Schema& schema, Millis time);

/// The features of an event, as the set that `features` tells (ServedAnswer) gives them, into
/// `out`.
using VectorOf =
    std::function<void(const Event& event, std::uint64_t features, std::span<float> out)>;

/// What is to be done to the log: each record keeps its place, time and label and gets the id
/// "erased:N", N being the first position in the log of its old id; an event loses its fields, and
/// a served vector becomes the one that `vector_of` gives. Doing so again changes nothing.
LogRewrite log_rewrite(const EventLog& log, const Schema& schema, const Erasure& erasure,
                       const VectorOf& vector_of);

}  // namespace freshet
