#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stream/csv_cells.h"
#include "stream/schema.h"

namespace freshet {

/// Turns records of a CSV input into JSON lines that decode to the same events under a schema:
/// what stands for a number or a truth value there becomes one, all else text; empty cells and
/// columns that the schema doesn't name are left out. What can't be one (not a number, a broken
/// record) becomes text, for the decoder to refuse. Used by one thread.
class CsvToJson {
 public:
  /// Throws Error{invalid} for a header that can't be split.
  CsvToJson(const Schema& schema, std::string_view header);

  /// One line, without its end.
  std::string line(std::string_view record);

 private:
  enum class Kind { none, text, number, boolean };
  static Kind kind_of(const Schema& schema, const std::string& column);

  std::vector<std::pair<std::string, Kind>> columns_;  ///< key as JSON, and what its cells are
  CsvCells split_;
};

}  // namespace freshet
