#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event.h"
#include "stream/schema.h"

namespace freshet {

/// A value as it stands in a record.
struct Cell {
  enum class Kind {
    missing,   ///< not there, an empty CSV cell, or JSON null
    untyped,   ///< CSV: text that may state anything
    text,      ///< JSON string
    number,    ///< JSON number; `text` is its token, `number` its value
    boolean,   ///< JSON true or false; `text` says which
    compound,  ///< JSON array or object
  };

  Kind kind = Kind::missing;
  std::string_view text;
  double number = 0;
};

/// What a format must find in a record for the decoder.
struct Column {
  std::string name;
  bool required = false;  ///< a CSV header must have it
  std::string other;      ///< or this one instead, where it isn't empty
};

/// Checks the named cells of one record against a schema and makes an event of them: the rules
/// that all formats share.
///
/// With `LabelKnown::later` a record is a *label record* when it has an id and a label and none of
/// the event's own fields (those that are neither id, time nor label); in an input of labels only,
/// every record is one. A label record's id, label and time stand under the schema's names or
/// else under "id", "label" and "time"; "time" has the unit of the schema's time field (RFC 3339
/// if it has none).
///
/// Bad records are expected: `decode` gives the reason, naming the field and what was found. The
/// constructor throws Error{invalid} for a `missing_constant` that doesn't fit its field.
/// Used by one thread.
class EventDecoder {
 public:
  EventDecoder(const Schema& schema, bool labels_only);
  EventDecoder(const EventDecoder&) = delete;  // constants_ views schema_
  EventDecoder& operator=(const EventDecoder&) = delete;

  /// The columns to look for; `decode` takes one cell for each, in this order.
  const std::vector<Column>& columns() const { return columns_; }

  /// Fills in `event`; its views are those of the cells, or of this decoder's constants. Returns
  /// why the record is bad, or nullopt.
  std::optional<std::string> decode(std::span<const Cell> cells, Event& event) const;

  /// The constant of a field whose rule is `constant`; still missing for any other.
  FieldValue missing_value(std::size_t field) const { return constants_[field]; }

 private:
  /// Where a value stands: the first of two columns that is there. npos: nowhere.
  struct Place {
    std::size_t first = std::string::npos;
    std::size_t other = std::string::npos;
  };

  std::size_t column(const std::string& name, bool required);
  void find_label_places(bool labels_only);
  void find_constants();
  const Cell& at(const Place& place, std::span<const Cell> cells) const;
  const std::string& name(const Place& place) const { return columns_[place.first].name; }
  bool is_label_record(std::span<const Cell> cells) const;

  void decode_label_record(std::span<const Cell> cells, Event& event) const;
  void decode_event(std::span<const Cell> cells, Event& event) const;
  void decode_field(std::size_t index, const Cell& cell, FieldValue& value) const;
  std::string_view decode_id(const std::string& name, const Cell& cell) const;
  double decode_label(const Cell& cell) const;
  Millis decode_time(const std::string& name, TimeUnit unit, const Cell& cell) const;
  Millis decode_event_time(std::span<const Cell> cells) const;

  Schema schema_;
  bool labels_only_;
  std::vector<Column> columns_;
  std::vector<std::size_t> field_columns_;
  std::vector<FieldValue> constants_;     ///< of fields whose rule is `constant`; else missing
  std::vector<std::size_t> own_columns_;  ///< those that make a record an event
  Place id_, label_, label_record_id_, label_record_time_;
  std::size_t time_ = std::string::npos;  ///< the time's column, or the date's
  std::size_t hour_ = std::string::npos;
  std::size_t label_at_ = std::string::npos;
  TimeUnit time_unit_ = TimeUnit::rfc3339;
};

/// `text` as a message quotes it: in quotes, shortened, control characters escaped.
std::string quoted(std::string_view text);

}  // namespace freshet
