#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// Splits a record of comma-separated values (RFC 4180) into its cells. Used by one thread.
class CsvCells {
 public:
  /// Why the record cannot be split, or nullopt.
  std::optional<std::string> split(std::string_view record);

  /// The cells of the last record; views live until the next `split` or as long as the record.
  const std::vector<std::string_view>& values() const { return values_; }

 private:
  std::optional<std::string> split_quoted(std::string_view& rest);

  std::vector<std::string_view> values_;
  std::string unquoted_;  ///< cells with doubled quotes, undoubled
};

}  // namespace freshet
