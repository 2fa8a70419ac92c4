#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

/// One field of the records that `pipeline init` looks at, and what its values could be. It judges
/// as the sources do: what it calls a number, they read as one. Used by one thread.
class InspectedField {
 public:
  /// How a value stood in a JSON record; all of a CSV file's are untyped.
  enum class Typed { untyped, text, number, boolean, compound };

  InspectedField(std::string name, std::size_t records_before);

  /// The next record's value; empty: missing.
  void add(std::string_view text, Typed typed);
  /// Missing in every record up to the `records`th.
  void fill(std::size_t records);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& cells() const { return cells_; }
  /// Beside the cells; NaN where there is no number.
  const std::vector<double>& numbers() const { return numbers_; }
  const std::set<std::string>& distinct() const { return distinct_; }

  bool empty() const { return distinct_.empty(); }
  bool numeric() const;   ///< every value is a number
  bool whole() const;     ///< every value is a whole number
  bool boolean() const;   ///< every value is true or false (or 0 or 1 beside these)
  bool category() const;  ///< every value can be read as text
  /// Every value is a time in RFC 3339, a date alone included.
  bool rfc3339() const;
  /// Every value is a date alone.
  bool dates() const;
  /// The unit ("s", "ms", "us", "ns") in which every value is a time from 1990 to 2100.
  std::optional<std::string> epoch_unit() const;
  bool never_falls() const;
  /// 1, 2, 3 …, or at least rising whole numbers in 30 or more records: it tells records apart.
  bool counter() const;

 private:
  bool has(Typed typed) const { return (seen_ & (1U << static_cast<unsigned>(typed))) != 0; }

  std::string name_;
  std::vector<std::string> cells_;
  std::vector<double> numbers_;
  std::set<std::string> distinct_;
  bool all_numbers_ = true;
  unsigned seen_ = 0;  ///< bit set of Typed
};

/// The first records of a CSV or JSON lines file, by field. Bad records are passed over.
class InspectedTable {
 public:
  /// Throws what opening and reading the file throws; Error{invalid} for a header that cannot be
  /// read or names a field twice, and for a file without a good record.
  InspectedTable(const std::string& input, std::size_t most_records);

  const std::vector<InspectedField>& fields() const { return fields_; }
  const InspectedField* find(std::string_view name) const;
  /// Throws Error{invalid} naming the option and the nearest field.
  const InspectedField& need(const std::string& name, const std::string& option) const;
  std::size_t records() const { return records_; }

 private:
  void read_header(const std::string& input, std::string_view header);
  bool take_csv(std::string_view record);
  bool take_json(std::string_view record);

  std::vector<InspectedField> fields_;
  std::size_t records_ = 0;
};

}  // namespace freshet
