#include "orchestrator/inspect_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "stream/blanks.h"
#include "stream/csv_cells.h"
#include "stream/error.h"
#include "stream/event_decoder.h"
#include "stream/line_reader.h"
#include "stream/nearest_name.h"
#include "stream/utf8.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double number_of(std::string_view text) {
  text = trimmed(text);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end && std::isfinite(value) ? value : kNone;
}

/// A record without what stands within its lists and objects: 1 MiB of brackets would overflow the
/// stack later. `compound` gets the names of the fields that hold them.
json parse_flat(std::string_view record, std::set<std::string>& compound) {
  std::string key;
  const auto keep = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1) key = parsed.get<std::string>();
    const bool starts =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (!starts || depth == 0) return true;
    if (depth == 1) compound.insert(key);
    return false;
  };
  return json::parse(record, keep, false);
}

InspectedField::Typed type_of(const json& value) {
  if (value.is_string()) return InspectedField::Typed::text;
  if (value.is_boolean()) return InspectedField::Typed::boolean;
  return InspectedField::Typed::number;
}

}  // namespace

InspectedField::InspectedField(std::string name, std::size_t records_before)
    : name_(std::move(name)) {
  fill(records_before);
}

void InspectedField::add(std::string_view text, Typed typed) {
  cells_.emplace_back(text);
  const bool numeral = typed == Typed::untyped || typed == Typed::number;
  numbers_.push_back(numeral ? number_of(text) : kNone);
  const bool missing = text.empty() && typed != Typed::compound;
  if (missing) return;
  seen_ |= 1U << static_cast<unsigned>(typed);
  all_numbers_ = all_numbers_ && !std::isnan(numbers_.back());
  distinct_.insert(cells_.back());
}

void InspectedField::fill(std::size_t records) {
  if (cells_.size() >= records) return;
  cells_.resize(records);
  numbers_.resize(records, kNone);
}

bool InspectedField::numeric() const { return !empty() && all_numbers_; }

bool InspectedField::whole() const {
  return numeric() && std::all_of(numbers_.begin(), numbers_.end(), [](double number) {
           return std::isnan(number) || number == std::floor(number);
         });
}

bool InspectedField::boolean() const {
  if (numeric() || has(Typed::text) || has(Typed::compound)) return false;
  return !empty() && std::all_of(distinct_.begin(), distinct_.end(), [](const std::string& text) {
    return text == "true" || text == "false" || text == "1" || text == "0";
  });
}

bool InspectedField::category() const {
  return !empty() && !has(Typed::boolean) && !has(Typed::compound);
}

bool InspectedField::rfc3339() const {
  const bool text = category() && !has(Typed::number) && !numeric();
  return text && std::all_of(distinct_.begin(), distinct_.end(),
                             [](const std::string& cell) { return parse_time(cell).has_value(); });
}

bool InspectedField::dates() const {
  constexpr std::size_t kDate = std::string_view("2011-01-31").size();
  return rfc3339() && std::all_of(distinct_.begin(), distinct_.end(),
                                  [](const std::string& cell) { return cell.size() == kDate; });
}

std::optional<std::string> InspectedField::epoch_unit() const {
  constexpr double kFirst = 631'152'000;   // 1990
  constexpr double kLast = 4'102'444'800;  // 2100
  if (!whole()) return std::nullopt;
  double scale = 1;
  for (const char* unit : {"s", "ms", "us", "ns"}) {
    if (std::all_of(numbers_.begin(), numbers_.end(), [&](double number) {
          return std::isnan(number) || (number >= kFirst * scale && number <= kLast * scale);
        })) {
      return unit;
    }
    scale *= 1000;
  }
  return std::nullopt;
}

bool InspectedField::never_falls() const {
  double last = -std::numeric_limits<double>::infinity();
  for (const double number : numbers_) {
    if (number < last) return false;
    if (!std::isnan(number)) last = number;
  }
  return true;
}

bool InspectedField::counter() const {
  constexpr std::size_t kEnough = 30;
  const std::size_t records = cells_.size();
  if (records < 3 || !whole() || distinct_.size() != records || !never_falls()) return false;
  return records >= kEnough ||
         numbers_.back() - numbers_.front() == static_cast<double>(records - 1);
}

InspectedTable::InspectedTable(const std::string& input, std::size_t most_records) {
  constexpr int kWaitMs = 100;
  LineReader reader(ByteInput::open(input), false);
  LineReader::Status status = LineReader::record;
  std::optional<char> first;
  do {
    first = reader.peek(kWaitMs, status);
  } while (!first && status == LineReader::idle);
  const bool csv = first != '{' && first != '[';
  if (csv) reader.set_framing(Framing::csv);
  RawRecord record;
  bool header = csv;
  while (records_ < most_records && status != LineReader::ended) {
    status = reader.next(record, kWaitMs);
    if (status != LineReader::record) continue;
    const bool good = record.defect == RawRecord::none && !utf8_defect(record.bytes);
    if (header) {
      if (!good) {
        throw Error(ErrorKind::invalid, fmt::format("{}: the header is no UTF-8 text, or has an "
                                                    "open quote: expected the fields' names",
                                                    display_name(input)));
      }
      read_header(input, record.bytes);
      header = false;
    } else if (good && (csv ? take_csv(record.bytes) : take_json(record.bytes))) {
      ++records_;
    }
    for (InspectedField& field : fields_) field.fill(records_);
  }
  if (records_ == 0) {
    throw Error(ErrorKind::invalid,
                fmt::format("{}: found no record that can be read, expected CSV with a header or "
                            "JSON lines",
                            display_name(input)));
  }
}

const InspectedField* InspectedTable::find(std::string_view name) const {
  const auto at = std::find_if(fields_.begin(), fields_.end(),
                               [&](const InspectedField& field) { return field.name() == name; });
  return at == fields_.end() ? nullptr : &*at;
}

const InspectedField& InspectedTable::need(const std::string& name,
                                           const std::string& option) const {
  if (const InspectedField* field = find(name)) return *field;
  std::vector<std::string> names;
  for (const InspectedField& field : fields_) names.push_back(field.name());
  const std::string nearest = nearest_name(name, names);
  throw Error(
      ErrorKind::invalid,
      fmt::format("{}: found {}, expected a field{}; there are {}", option, freshet::quoted(name),
                  nearest.empty() ? "" : fmt::format(" (nearest: {})", freshet::quoted(nearest)),
                  fmt::join(names, ", ")));
}

void InspectedTable::read_header(const std::string& input, std::string_view header) {
  CsvCells cells;
  const std::string where = display_name(input) + ": the header: ";
  if (const auto reason = cells.split(header)) throw Error(ErrorKind::invalid, where + *reason);
  for (const std::string_view name : cells.values()) {
    if (find(name) != nullptr) {
      throw Error(ErrorKind::invalid,
                  fmt::format("{}the column {} stands twice", where, freshet::quoted(name)));
    }
    fields_.emplace_back(std::string(name), 0);
  }
}

bool InspectedTable::take_csv(std::string_view record) {
  CsvCells cells;
  if (cells.split(record) || cells.values().size() != fields_.size()) return false;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    fields_[i].add(cells.values()[i], InspectedField::Typed::untyped);
  }
  return true;
}

bool InspectedTable::take_json(std::string_view record) {
  std::set<std::string> compound;
  json parsed = parse_flat(record, compound);
  if (!parsed.is_object()) return false;
  const auto field = [&](const std::string& name) -> InspectedField& {
    const auto at = std::find_if(fields_.begin(), fields_.end(),
                                 [&](const InspectedField& known) { return known.name() == name; });
    return at == fields_.end() ? fields_.emplace_back(name, records_) : *at;
  };
  for (const std::string& name : compound) {
    parsed.erase(name);
    field(name).add("", InspectedField::Typed::compound);
  }
  for (const auto& [name, value] : parsed.items()) {
    if (value.is_null() || value.is_discarded()) continue;
    const bool text = value.is_string();
    field(name).add(text ? value.get<std::string>() : value.dump(), type_of(value));
  }
  return true;
}

}  // namespace freshet
