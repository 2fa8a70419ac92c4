#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// Line and column in a text, both from 1; the column counts characters.
struct LineColumn {
  std::size_t line = 1;
  std::size_t column = 1;

  bool operator==(const LineColumn&) const = default;
};

/// Where each value of a JSON text stands, by JSON pointer (RFC 6901), and what hinders reading
/// it: a syntax error, a key that stands twice, more than `kMaxDepth` levels. Used by one thread.
class JsonPositions {
 public:
  static constexpr std::size_t kMaxDepth = 64;

  struct Fault {
    std::size_t offset = 0;  ///< in bytes
    std::string message;
  };

  /// `text` must outlive this.
  explicit JsonPositions(std::string_view text);

  /// What the text breaks; empty for a text that can be read.
  const std::vector<Fault>& faults() const { return faults_; }

  /// Byte offset of the key (of the value for items and the whole) or value at `pointer`; of what
  /// is nearest above it where it is absent.
  std::size_t key(std::string_view pointer) const;
  std::size_t value(std::string_view pointer) const;
  bool has(std::string_view pointer) const { return places_.contains(std::string(pointer)); }

  LineColumn line_column(std::size_t offset) const;

  /// `pointer` with one more key, escaped.
  static std::string child(std::string_view pointer, std::string_view key);

 private:
  friend class PositionRecorder;
  struct Place {
    std::size_t key = 0;
    std::size_t value = 0;
  };
  const Place& nearest(std::string_view pointer) const;

  std::string_view text_;
  std::map<std::string, Place> places_;
  std::vector<Fault> faults_;
};

}  // namespace freshet
