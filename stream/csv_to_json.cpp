#include "stream/csv_to_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "stream/blanks.h"
#include "stream/error.h"
#include "stream/event_decoder.h"

namespace freshet {

namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// As JSON writes it: no "007", no ".5". Whole numbers keep all digits.
std::string json_number(std::string_view cell) {
  const std::string_view text = trimmed(cell);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, whole);
      error == std::errc() && at == end) {
    return std::to_string(whole);
  }
  double number = 0;
  const auto [at, error] = std::from_chars(text.data(), end, number);
  const bool finite = error == std::errc() && at == end && std::isfinite(number);
  return finite ? fmt::format("{}", number) : json_text(cell);
}

std::string json_truth(std::string_view cell) {
  const std::string_view text = trimmed(cell);
  const bool known = text == "true" || text == "false" || text == "0" || text == "1";
  return known ? std::string(text) : json_text(cell);
}

}  // namespace

CsvToJson::Kind CsvToJson::kind_of(const Schema& schema, const std::string& column) {
  const auto counts = [&](const TimeField& time) {
    return time.name == column && time.unit != TimeUnit::rfc3339;
  };
  const auto* time = std::get_if<TimeField>(&schema.time.form);
  const auto* date = std::get_if<TimeDateHour>(&schema.time.form);
  if ((time != nullptr && counts(*time)) || (date != nullptr && date->hour == column)) {
    return Kind::number;
  }
  if (schema.label.known == LabelKnown::at && counts(schema.label.at)) return Kind::number;
  if (const auto at = schema.find(column)) {
    const FieldKind kind = schema.fields[*at].kind;
    if (kind == FieldKind::number) return Kind::number;
    return kind == FieldKind::boolean ? Kind::boolean : Kind::text;
  }
  if (column != schema.label.field || schema.task == Task::multiclass) return Kind::text;
  return schema.task == Task::regression ? Kind::number : Kind::boolean;
}

CsvToJson::CsvToJson(const Schema& schema, std::string_view header) {
  if (const auto broken = split_.split(header)) {
    throw Error(ErrorKind::invalid, "the header: " + *broken);
  }
  std::set<std::string> wanted;
  const EventDecoder decoder(schema, false);
  for (const Column& column : decoder.columns()) wanted.insert(column.name);
  for (const std::string_view cell : split_.values()) {
    const std::string name(trimmed(cell));
    const bool used = wanted.erase(name) == 1;
    columns_.emplace_back(json_text(name), used ? kind_of(schema, name) : Kind::none);
  }
}

std::string CsvToJson::line(std::string_view record) {
  if (split_.split(record) || split_.values().size() != columns_.size()) return json_text(record);
  std::string line = "{";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& [key, kind] = columns_[i];
    const std::string_view cell = split_.values()[i];
    if (kind == Kind::none || cell.empty()) continue;
    if (line.size() > 1) line += ',';
    line += key + ':';
    line += kind == Kind::number    ? json_number(cell)
            : kind == Kind::boolean ? json_truth(cell)
                                    : json_text(cell);
  }
  return line + '}';
}

}  // namespace freshet
