#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/schema.h"

namespace freshet {

enum class RecordKind : std::uint8_t {
  event = 1,  ///< a question, perhaps with its label
  label = 2,  ///< the answer to an event that was logged before, or comes later, joined by id
  close = 3,  ///< the stream's end (`run --final`): every label that can become known does
  time = 4,   ///< a part of the source that held event time back went idle or ended: it has come
              ///< to the record's time
};

/// How far event time has come where a part of the source (a partition of Kafka) is behind.
struct TimeReached {
  Millis all = 0;     ///< all parts that are not idle have come so far; Watermark::kNone: unknown
  Millis newest = 0;  ///< in the log: the newest event time so far

  bool operator==(const TimeReached&) const = default;
};

/// One field of one event. Numbers, booleans (0 or 1) and times (milliseconds) are in `number`,
/// categories and texts in `text`.
struct FieldValue {
  double number = std::numeric_limits<double>::quiet_NaN();
  std::string_view text;
  bool missing = true;
};

/// How a question was answered before it stood in the log: over HTTP, by the champion as it was
/// then. Replay takes vector and answer as they are.
struct ServedAnswer {
  std::uint64_t position = 0;  ///< the state that answered had gone through the records below it
  std::uint64_t version = 0;   ///< the revision that answered: version@row
  std::uint64_t row = 0;
  std::string_view vector;     ///< the feature vector's floats, little-endian, at any address
  std::string_view answer;     ///< the answer's floats
  std::uint64_t features = 0;  ///< which feature set the vector is of; 0: the pipeline's
};

/// The bytes of floats as a ServedAnswer holds them, valid as long as `floats`, and back.
/// `copy_floats` throws Error{corrupt} unless there are `to.size()` of them.
std::string_view float_bytes(std::span<const float> floats);
void copy_floats(std::string_view bytes, std::span<float> to);

/// A decoded record. Views point into the bytes it was decoded from (or the source's buffer) and
/// live as long as those.
struct Event {
  RecordKind kind = RecordKind::event;
  std::string_view id;
  Millis time = 0;
  std::vector<FieldValue> values;  ///< in schema order; empty unless kind is `event`
  std::optional<double> label;     ///< inline label, or the label of a label record
  Millis label_time = 0;           ///< `LabelKnown::at` only: when the inline label becomes known
  std::optional<ServedAnswer> served;  ///< kind `event`: it was answered before it was logged
  std::optional<TimeReached> reached;  ///< none: event time is the newest so far
};

/// The kind of an encoded record. Throws `Error{corrupt}` when it is none.
RecordKind kind_of(std::string_view record);

/// Appends the record's bytes, as docs/log-format.md describes them, to `out`.
void encode(const Event& event, const Schema& schema, std::string& out);

/// Reads one record; reuses `event`'s memory. Throws `Error{corrupt}` on bytes that are no record
/// of this schema.
void decode(std::string_view record, const Schema& schema, Event& event);

}  // namespace freshet
