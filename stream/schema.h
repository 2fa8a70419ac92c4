#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

enum class Task { binary, multiclass, regression };

enum class FieldKind { number, category, boolean, text, time };

/// What a missing value of a field becomes.
enum class MissingRule {
  mean,      ///< the learner's running mean, beside an indicator feature (numbers; else a value
             ///< of its own)
  constant,  ///< `Field::missing_constant`
  reject,    ///< the event is a dead letter
};

struct Field {
  std::string name;
  FieldKind kind = FieldKind::number;
  MissingRule missing = MissingRule::mean;
  std::string missing_constant;  ///< as it would stand in the input

  bool operator==(const Field&) const = default;
};

/// How a time stands in a field: RFC 3339 text, or a number of units since 1970.
enum class TimeUnit { rfc3339, seconds, milliseconds, microseconds, nanoseconds };

/// `event.time` as one field.
struct TimeField {
  std::string name;
  TimeUnit unit = TimeUnit::rfc3339;

  bool operator==(const TimeField&) const = default;
};

/// `event.time` as a date (RFC 3339 full-date) and an hour of the day, 0 to 23.
struct TimeDateHour {
  std::string date;
  std::string hour;

  bool operator==(const TimeDateHour&) const = default;
};

/// `event.time` for data without timestamps: record n (bad ones counted too, across inputs, from
/// 0) happened at from + n * every.
struct TimeEvery {
  Millis every = kSecond;
  Millis from = 0;

  bool operator==(const TimeEvery&) const = default;
};

struct TimeSpec {
  std::variant<TimeField, TimeDateHour, TimeEvery> form;
  Millis utc_offset = 0;  ///< local time minus UTC, where the data state local time

  bool operator==(const TimeSpec&) const = default;
};

/// When a label becomes known.
enum class LabelKnown {
  with_event,  ///< when the event arrives
  later,       ///< when a label event {id, label, time} arrives
  after,       ///< stands in the event's line, known `after` later in event time
  at,          ///< stands in the event's line, known at the time in field `at`
};

struct LabelSpec {
  std::string field;
  LabelKnown known = LabelKnown::with_event;
  Millis after = 0;                     ///< with `LabelKnown::after`
  TimeField at;                         ///< with `LabelKnown::at`
  Millis wait = 0;                      ///< `later`: how long a question stays open; 0 elsewhere
  std::optional<double> default_label;  ///< `later`: the label after `wait`; none: given up
  std::vector<std::string> classes;     ///< multiclass: class i is label i; empty elsewhere

  bool operator==(const LabelSpec&) const = default;
};

/// What an event of one pipeline looks like and how its stream is timed.
struct Schema {
  Task task = Task::binary;
  std::string id_field;  ///< empty: the id is the record's ordinal across all inputs
  TimeSpec time;
  std::vector<Field> fields;
  LabelSpec label;
  Millis out_of_orderness = 0;  ///< watermark = max event time - this
  Millis allowed_lateness = 0;  ///< later than the watermark by more: side output `late`
  Millis dedup_within = kDay;   ///< event-time horizon of duplicate ids; ids are forgotten after
  Millis max_time_jump = 30 * kDay;  ///< an event further ahead of the maximum is a dead letter
  double max_bad_share = 0.1;  ///< of dead letters among recent records: above, the source stops
  std::uint64_t max_open_questions = 10'000'000;

  /// Index of a field by name; nullopt if there is none.
  std::optional<std::size_t> find(std::string_view name) const {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].name == name) return i;
    }
    return std::nullopt;
  }

  bool operator==(const Schema&) const = default;
};

/// Number of values in one answer: 1, or the number of classes.
inline std::size_t answer_width(const Schema& schema) {
  return schema.task == Task::multiclass ? schema.label.classes.size() : 1;
}

/// The label that `text` states for `label.task`: binary 0/1/true/false, multiclass a class name
/// -> its index, regression a number within +-1.7e38, as networks learn floats. nullopt for
/// anything else.
std::optional<double> parse_label(Task task, const LabelSpec& label, std::string_view text);

}  // namespace freshet
