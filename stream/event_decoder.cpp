#include "stream/event_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "stream/blanks.h"
#include "stream/error.h"

namespace freshet {
namespace {

constexpr std::size_t kNowhere = std::string::npos;
// Years 1000 to 9999, as parse_time has them.
constexpr Millis kFirstTime = -30'610'224'000'000;
constexpr Millis kLastTime = 253'402'300'799'999;

/// Why a record is bad. Caught in EventDecoder::decode: a bad record is an expected outcome.
struct BadRecord {
  std::string reason;
};

template <class... Args>
[[noreturn]] void bad(fmt::format_string<Args...> form, Args&&... args) {
  throw BadRecord{fmt::format(form, std::forward<Args>(args)...)};
}

std::string found(const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::missing:
      return "nothing";
    case Cell::Kind::untyped:
      return quoted(cell.text);
    case Cell::Kind::text:
      return "the text " + quoted(cell.text);
    case Cell::Kind::number:
    case Cell::Kind::boolean:
      return std::string(cell.text.substr(0, 40));
    case Cell::Kind::compound:
      return cell.text.starts_with('[') ? "an array" : "an object";
  }
  return "";
}

double decode_number(const std::string& name, const Cell& cell) {
  if (cell.kind == Cell::Kind::number) return cell.number;
  const std::string_view text = trimmed(cell.text);
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  const bool is_number = at == end && !text.empty() && error != std::errc::invalid_argument;
  if (cell.kind != Cell::Kind::untyped || !is_number) {
    bad("field `{}`: found {}, expected a number", name, found(cell));
  }
  if (error == std::errc::result_out_of_range || !std::isfinite(number)) {
    bad("field `{}`: found {}, expected a finite number in the range of a double", name,
        found(cell));
  }
  return number;
}

double decode_boolean(const std::string& name, const Cell& cell) {
  if (cell.kind != Cell::Kind::text && cell.kind != Cell::Kind::compound) {
    const std::string_view text = trimmed(cell.text);
    if (text == "true" || text == "1") return 1;
    if (text == "false" || text == "0") return 0;
  }
  bad("field `{}`: found {}, expected true, false, 0 or 1", name, found(cell));
}

std::string_view decode_text(const std::string& name, const Cell& cell) {
  if (cell.kind == Cell::Kind::boolean || cell.kind == Cell::Kind::compound) {
    bad("field `{}`: found {}, expected a text", name, found(cell));
  }
  return cell.text;
}

Millis unit_per_second(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::rfc3339:
    case TimeUnit::seconds:
      return 1;
    case TimeUnit::milliseconds:
      return 1000;
    case TimeUnit::microseconds:
      return 1'000'000;
    case TimeUnit::nanoseconds:
      return 1'000'000'000;
  }
  return 1;
}

std::string_view unit_name(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::rfc3339:
      return "RFC 3339 text";
    case TimeUnit::seconds:
      return "seconds";
    case TimeUnit::milliseconds:
      return "milliseconds";
    case TimeUnit::microseconds:
      return "microseconds";
    case TimeUnit::nanoseconds:
      return "nanoseconds";
  }
  return "";
}

/// Whole units exactly, a fraction by its double; always rounded down to the millisecond.
std::optional<Millis> epoch_time(std::string_view text, TimeUnit unit) {
  const Millis per_second = unit_per_second(unit);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  const auto [at, error] = std::from_chars(text.data(), end, whole);
  if (error == std::errc() && at == end) {
    if (per_second > 1000) {
      const Millis per_milli = per_second / 1000;
      return whole / per_milli - (whole % per_milli < 0 ? 1 : 0);
    }
    if (std::abs(static_cast<double>(whole)) > 1e15) return std::nullopt;
    return whole * (1000 / per_second);
  }
  double number = 0;
  const auto [stop, trouble] = std::from_chars(text.data(), end, number);
  if (trouble != std::errc() || stop != end || text.empty()) return std::nullopt;
  const double millis = std::floor(number * (1000.0 / static_cast<double>(per_second)));
  if (!(std::abs(millis) < 1e15)) return std::nullopt;
  return static_cast<Millis>(millis);
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  // A character of several bytes is not cut in two.
  if (text.size() > kShown) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80) != 0) out.pop_back();
    out += "…";
  }
  return out + '"';
}

EventDecoder::EventDecoder(const Schema& schema, bool labels_only)
    : schema_(schema), labels_only_(labels_only) {
  if (const auto* time = std::get_if<TimeField>(&schema_.time.form)) time_unit_ = time->unit;
  if (!labels_only) {
    const bool later = schema_.label.known == LabelKnown::later;
    if (!schema_.id_field.empty()) id_.first = column(schema_.id_field, true);
    if (const auto* time = std::get_if<TimeField>(&schema_.time.form)) {
      time_ = column(time->name, true);
    } else if (const auto* date = std::get_if<TimeDateHour>(&schema_.time.form)) {
      time_ = column(date->date, true);
      hour_ = column(date->hour, true);
    }
    for (const Field& field : schema_.fields) {
      field_columns_.push_back(column(field.name, true));
    }
    label_.first = column(schema_.label.field, !later);
    if (schema_.label.known == LabelKnown::at) label_at_ = column(schema_.label.at.name, true);
    for (const std::size_t place : field_columns_) {
      const bool beside = columns_[place].name.starts_with('$');  // every record has those
      if (!beside && place != id_.first && place != time_ && place != hour_ &&
          place != label_.first) {
        own_columns_.push_back(place);
      }
    }
  }
  if (labels_only || schema_.label.known == LabelKnown::later) find_label_places(labels_only);
  find_constants();
}

std::size_t EventDecoder::column(const std::string& name, bool required) {
  const auto same = [&](const Column& known) { return known.name == name; };
  const auto at = std::find_if(columns_.begin(), columns_.end(), same);
  if (at != columns_.end()) {
    at->required = at->required || required;
    return static_cast<std::size_t>(at - columns_.begin());
  }
  columns_.push_back({name, required, {}});
  return columns_.size() - 1;
}

void EventDecoder::find_label_places(bool labels_only) {
  const auto place = [&](const std::string& name, const char* other) {
    Place found_place;
    found_place.first = column(name.empty() ? other : name, false);
    if (!name.empty() && name != other) {
      found_place.other = column(other, false);
      columns_[found_place.first].other = other;
    }
    return found_place;
  };
  std::string time_name;
  if (const auto* time = std::get_if<TimeField>(&schema_.time.form)) time_name = time->name;
  label_record_id_ = place(schema_.id_field, "id");
  label_record_time_ = place(time_name, "time");
  // In a mixed input a column "label" beside the label field may be a feature.
  if (!labels_only) return;
  label_ = place(schema_.label.field, "label");
  columns_[label_record_id_.first].required = true;
  columns_[label_.first].required = true;
  const bool timed = !std::holds_alternative<TimeEvery>(schema_.time.form);
  columns_[label_record_time_.first].required = timed;
}

void EventDecoder::find_constants() {
  constants_.resize(schema_.fields.size());
  for (std::size_t i = 0; i < schema_.fields.size() && !labels_only_; ++i) {
    const Field& field = schema_.fields[i];
    if (field.missing != MissingRule::constant) continue;
    try {
      decode_field(i, {Cell::Kind::untyped, field.missing_constant, 0}, constants_[i]);
    } catch (const BadRecord& bad_record) {
      throw Error(ErrorKind::invalid, "the constant for missing values: " + bad_record.reason);
    }
  }
}

const Cell& EventDecoder::at(const Place& place, std::span<const Cell> cells) const {
  static const Cell nothing;
  if (place.first == kNowhere) return nothing;
  if (cells[place.first].kind != Cell::Kind::missing || place.other == kNowhere) {
    return cells[place.first];
  }
  return cells[place.other];
}

bool EventDecoder::is_label_record(std::span<const Cell> cells) const {
  if (labels_only_) return true;
  if (schema_.label.known != LabelKnown::later) return false;
  const auto there = [&](std::size_t place) { return cells[place].kind != Cell::Kind::missing; };
  return there(label_.first) && at(label_record_id_, cells).kind != Cell::Kind::missing &&
         std::none_of(own_columns_.begin(), own_columns_.end(), there);
}

std::optional<std::string> EventDecoder::decode(std::span<const Cell> cells, Event& event) const {
  try {
    event.label.reset();
    event.label_time = 0;
    event.time = 0;
    event.id = {};
    if (is_label_record(cells)) {
      decode_label_record(cells, event);
    } else {
      decode_event(cells, event);
    }
    return std::nullopt;
  } catch (BadRecord& bad_record) {
    return std::move(bad_record.reason);
  }
}

void EventDecoder::decode_label_record(std::span<const Cell> cells, Event& event) const {
  event.kind = RecordKind::label;
  event.values.clear();
  event.id = decode_id(name(label_record_id_), at(label_record_id_, cells));
  const Cell& label = at(label_, cells);
  if (label.kind == Cell::Kind::missing)
    bad("field `{}`: a label record without a label", name(label_));
  event.label = decode_label(label);
  const Cell& time = at(label_record_time_, cells);
  if (time.kind != Cell::Kind::missing) {
    event.time = decode_time(name(label_record_time_), time_unit_, time);
  } else if (hour_ != kNowhere && cells[time_].kind != Cell::Kind::missing) {
    event.time = decode_event_time(cells);
  } else if (!std::holds_alternative<TimeEvery>(schema_.time.form)) {
    bad("field `{}`: a label record without a time", name(label_record_time_));
  }
}

void EventDecoder::decode_event(std::span<const Cell> cells, Event& event) const {
  event.kind = RecordKind::event;
  if (id_.first != kNowhere) event.id = decode_id(name(id_), cells[id_.first]);
  event.time = decode_event_time(cells);
  event.values.resize(schema_.fields.size());
  for (std::size_t i = 0; i < schema_.fields.size(); ++i) {
    decode_field(i, cells[field_columns_[i]], event.values[i]);
  }
  const Cell& label = cells[label_.first];
  if (label.kind == Cell::Kind::missing) return;
  if (schema_.label.known == LabelKnown::later) {
    bad("field `{}`: found {} in an event, expected none: label.known is \"later\"", name(label_),
        found(label));
  }
  event.label = decode_label(label);
  if (schema_.label.known == LabelKnown::at) {
    event.label_time = decode_time(schema_.label.at.name, schema_.label.at.unit, cells[label_at_]);
  }
}

void EventDecoder::decode_field(std::size_t index, const Cell& cell, FieldValue& value) const {
  const Field& field = schema_.fields[index];
  value = FieldValue{};
  if (cell.kind == Cell::Kind::missing) {
    if (field.missing == MissingRule::reject) {
      bad("field `{}`: is missing, and its rule for missing values is reject", field.name);
    }
    value = constants_[index];
    return;
  }
  value.missing = false;
  switch (field.kind) {
    case FieldKind::number:
      value.number = decode_number(field.name, cell);
      break;
    case FieldKind::boolean:
      value.number = decode_boolean(field.name, cell);
      break;
    case FieldKind::category:
    case FieldKind::text:
      value.text = decode_text(field.name, cell);
      break;
    case FieldKind::time:
      value.number = static_cast<double>(decode_time(field.name, TimeUnit::rfc3339, cell));
      break;
  }
}

std::string_view EventDecoder::decode_id(const std::string& name, const Cell& cell) const {
  if (cell.kind == Cell::Kind::missing || (cell.kind == Cell::Kind::text && cell.text.empty())) {
    bad("field `{}`: the id is missing", name);
  }
  return decode_text(name, cell);
}

double EventDecoder::decode_label(const Cell& cell) const {
  const bool wrong_type = cell.kind == Cell::Kind::compound ||
                          (schema_.task == Task::regression && cell.kind == Cell::Kind::text);
  if (!wrong_type) {
    const std::string_view text = cell.kind == Cell::Kind::untyped ? trimmed(cell.text) : cell.text;
    if (const auto label = parse_label(schema_.task, schema_.label, text)) return *label;
  }
  if (schema_.task == Task::binary) {
    bad("label `{}`: found {}, expected 0, 1, false or true", name(label_), found(cell));
  }
  if (schema_.task == Task::regression) {
    bad("label `{}`: found {}, expected a number within +-1.7e38", name(label_), found(cell));
  }
  bad("label `{}`: found {}, expected one of the classes {}", name(label_), found(cell),
      fmt::join(schema_.label.classes, ", "));
}

Millis EventDecoder::decode_time(const std::string& name, TimeUnit unit, const Cell& cell) const {
  if (cell.kind == Cell::Kind::missing) bad("field `{}`: the time is missing", name);
  const bool typed = cell.kind != Cell::Kind::untyped;
  const std::string_view text = typed ? cell.text : trimmed(cell.text);
  std::optional<Millis> time;
  if (unit == TimeUnit::rfc3339) {
    if (!typed || cell.kind == Cell::Kind::text) time = parse_time(text, schema_.time.utc_offset);
    if (!time)
      bad("field `{}`: found {}, expected a time as RFC 3339 has it, in the years 1000 to 9999",
          name, found(cell));
    return *time;
  }
  if (!typed || cell.kind == Cell::Kind::number) time = epoch_time(text, unit);
  if (!time) {
    bad("field `{}`: found {}, expected a time as {} since 1970", name, found(cell),
        unit_name(unit));
  }
  const Millis utc = *time - schema_.time.utc_offset;
  if (utc < kFirstTime || utc > kLastTime) {
    bad("field `{}`: found {}, as {} since 1970 outside of the years 1000 to 9999", name,
        found(cell), unit_name(unit));
  }
  return utc;
}

Millis EventDecoder::decode_event_time(std::span<const Cell> cells) const {
  if (time_ == kNowhere) return 0;
  if (hour_ == kNowhere) return decode_time(columns_[time_].name, time_unit_, cells[time_]);
  const Cell& date = cells[time_];
  const Millis midnight = decode_time(columns_[time_].name, TimeUnit::rfc3339, date);
  if (trimmed(date.text).size() != std::string_view("2011-01-01").size()) {
    bad("field `{}`: found {}, expected a date alone", columns_[time_].name, found(date));
  }
  const Cell& hour = cells[hour_];
  const std::string& hour_name = columns_[hour_].name;
  if (hour.kind == Cell::Kind::missing) bad("field `{}`: the hour is missing", hour_name);
  const double number = decode_number(hour_name, hour);
  if (!(number >= 0 && number <= 23) || number != std::floor(number)) {
    bad("field `{}`: found {}, expected an hour from 0 to 23", hour_name, found(hour));
  }
  return midnight + static_cast<Millis>(number) * kHour;
}

}  // namespace freshet
