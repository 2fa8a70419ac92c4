#include "stream/csv_cells.h"

#include <fmt/format.h>

#include "stream/event_decoder.h"

namespace freshet {

// `rest` starts after the opening quote and is left after the closing one.
std::optional<std::string> CsvCells::split_quoted(std::string_view& rest) {
  const std::size_t number = values_.size() + 1;
  const std::size_t start = unquoted_.size();
  bool doubled = false;
  std::string_view whole = rest;
  while (true) {
    const auto quote = rest.find('"');
    if (quote == std::string_view::npos) {
      return fmt::format("cell {}: a quote opens and is never closed", number);
    }
    const bool escaped = quote + 1 < rest.size() && rest[quote + 1] == '"';
    if (escaped || doubled) unquoted_.append(rest.substr(0, quote + (escaped ? 1 : 0)));
    doubled = doubled || escaped;
    rest.remove_prefix(quote + (escaped ? 2 : 1));
    if (escaped) continue;
    whole.remove_suffix(rest.size() + 1);
    // unquoted_ has room for the whole record: its cells stay where they are.
    values_.push_back(doubled ? std::string_view(unquoted_).substr(start) : whole);
    if (rest.empty() || rest.front() == ',') return std::nullopt;
    return fmt::format("cell {}: found {} after the closing quote, expected a comma", number,
                       quoted(rest.substr(0, 1)));
  }
}

std::optional<std::string> CsvCells::split(std::string_view record) {
  values_.clear();
  unquoted_.clear();
  unquoted_.reserve(record.size());
  std::string_view rest = record;
  while (true) {
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      if (auto reason = split_quoted(rest)) return reason;
    } else {
      const std::string_view value = rest.substr(0, rest.find(','));
      values_.push_back(value);
      rest.remove_prefix(value.size());
    }
    if (rest.empty()) return std::nullopt;
    rest.remove_prefix(1);  // the comma
  }
}

}  // namespace freshet
