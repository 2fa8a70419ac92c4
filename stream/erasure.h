#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event.h"
#include "stream/event_decoder.h"
#include "stream/event_log.h"
#include "stream/schema.h"

namespace freshet {

/// What tells which events are a person's: the value of a field, or the event's id.
struct ErasureKey {
  std::optional<std::size_t> field;  ///< index into the schema's fields; none: the id
  std::string text;                  ///< the value as it was typed
  bool is_text = true;               ///< else it is compared as a number
  double number = 0;

  /// Whether an event bears it; of a label record, its id alone.
  bool matches(const Event& event) const;
};

/// FIELD=VALUE, id=VALUE, or the VALUE of an id that has no "=". Throws Error{not_found} for an
/// unknown field, naming the nearest, Error{invalid} for a value that is none of its kind, and for
/// a number so large that it stands for others too; never repeats the value.
ErasureKey parse_erasure_key(const std::string& key, const Schema& schema);

/// Where a person's data stand in a log. It holds none of them: it may be recorded.
struct Erasure {
  /// Positions of the events and label records, ascending, together where they share an id.
  std::vector<std::vector<std::uint64_t>> records;
  /// Numbers of what was refused or late.
  std::vector<std::uint64_t> dead_letters;
  std::vector<std::uint64_t> late_events;

  bool empty() const { return records.empty() && dead_letters.empty() && late_events.empty(); }
  /// Of all records, ascending.
  std::vector<std::uint64_t> positions() const;
};

/// Finds what matches below `end`: every record of an id that a matching event has, whether it was
/// accepted, late or refused, and what was late or refused itself (see LetterSearch). Reads the
/// whole log, twice; what is dropped meanwhile is passed over. Throws as EventLog::batch.
Erasure find_erasure(const EventLog& log, const Schema& schema, const ErasureKey& key,
                     std::uint64_t end);

/// What an event becomes: no field is there any more, so those with the rule `constant` have their
/// constant. Used by one thread.
class ErasedEvent {
 public:
  explicit ErasedEvent(const Schema& schema);
  /// Valid until the next call.
  const Event& at(Millis time);

 private:
  const EventDecoder decoder_;
  Event event_;
};

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
