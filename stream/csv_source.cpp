#include "stream/csv_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "stream/error.h"
#include "stream/nearest_name.h"
#include "stream/utf8.h"

namespace freshet {

CsvDecoder::CsvDecoder(const Schema& schema, bool labels_only, std::string input_name)
    : decoder_(schema, labels_only), input_name_(std::move(input_name)) {}

void CsvDecoder::refuse_header(const std::string& missing) const {
  constexpr std::size_t kMostShown = 300;  // bytes
  const std::string nearest = nearest_name(missing, header_);
  std::string has = fmt::format("{}", fmt::join(header_, ", "));
  if (has.find('\r') != std::string::npos) {
    has = "a carriage return within: lines end in LF or CRLF here, not in CR alone";
  } else if (has.size() > kMostShown) {
    has = fmt::format("{} columns, {} the first", header_.size(), quoted(header_.front()));
  }
  throw Error(
      ErrorKind::invalid,
      fmt::format("{}: the header has no column `{}`{}; it has {}", display_name(input_name_),
                  missing, nearest.empty() ? "" : fmt::format(" (nearest: `{}`)", nearest), has));
}

void CsvDecoder::read_header(std::string_view header) {
  const std::string where = display_name(input_name_) + ": the header: ";
  if (const auto reason = utf8_defect(header)) throw Error(ErrorKind::invalid, where + *reason);
  if (const auto reason = split_.split(header)) throw Error(ErrorKind::invalid, where + *reason);
  header_.assign(split_.values().begin(), split_.values().end());
  places_.clear();
  for (const Column& column : decoder_.columns()) {
    const auto at = std::find(header_.begin(), header_.end(), column.name);
    if (at == header_.end()) {
      const bool other = !column.other.empty() &&
                         std::find(header_.begin(), header_.end(), column.other) != header_.end();
      if (column.required && !other) refuse_header(column.name);
      places_.push_back(std::string::npos);
      continue;
    }
    if (std::find(at + 1, header_.end(), column.name) != header_.end()) {
      throw Error(ErrorKind::invalid,
                  fmt::format("{}the column `{}` stands twice", where, column.name));
    }
    places_.push_back(static_cast<std::size_t>(at - header_.begin()));
  }
  cells_.resize(places_.size());
}

std::optional<std::string> CsvDecoder::decode(std::string_view record, Event& event) {
  if (auto reason = utf8_defect(record)) return reason;
  if (auto reason = split_.split(record)) return reason;
  if (split_.values().size() != header_.size()) {
    return fmt::format("found {} cells, expected {} as in the header", split_.values().size(),
                       header_.size());
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    cells_[i] = Cell{};
    if (places_[i] == std::string::npos || split_.values()[places_[i]].empty()) continue;
    cells_[i] = {Cell::Kind::untyped, split_.values()[places_[i]], 0};
  }
  return decoder_.decode(cells_, event);
}

}  // namespace freshet
