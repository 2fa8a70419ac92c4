#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "orchestrator/json_positions.h"

namespace freshet {

/// A place in a config: as a JSON pointer to look it up, and as a path to show people,
/// "learners[0].train.batch".
struct ConfigPlace {
  std::string pointer;
  std::string path;

  ConfigPlace key(std::string_view name) const;
  ConfigPlace item(std::size_t index) const;

  /// at("learners", 0, "train")
  template <class... Steps>
  static ConfigPlace at(const Steps&... steps) {
    ConfigPlace place;
    ((place = place.step(steps)), ...);
    return place;
  }

 private:
  template <class Step>
  ConfigPlace step(const Step& step) const {
    if constexpr (std::is_integral_v<Step>) {
      return item(static_cast<std::size_t>(step));
    } else {
      return key(step);
    }
  }
};

/// Collects what is wrong with a config file and says all of it at once, in the file's order.
class ConfigProblems {
 public:
  ConfigProblems(const JsonPositions& positions, std::string file_name)
      : positions_(positions), file_name_(std::move(file_name)) {}

  /// A value that is wrong, or absent: `message` is "found …, expected …".
  void value(const ConfigPlace& place, const std::string& message);
  /// A key that is wrong.
  void key(const ConfigPlace& place, const std::string& message);
  /// As `value`, unless something is known to be wrong there already (or above, or below): what
  /// follows from a mistake is no second one.
  void consequence(const ConfigPlace& place, const std::string& message);
  void at(std::size_t offset, const std::string& message);

  bool has(const ConfigPlace& place) const { return positions_.has(place.pointer); }
  bool empty() const { return problems_.empty(); }
  /// "file:line:column: path: message", a line each.
  std::string text() const;

 private:
  struct Problem {
    std::size_t offset = 0;
    std::string pointer;
    std::string message;
  };

  const JsonPositions& positions_;
  std::string file_name_;
  std::vector<Problem> problems_;
};

}  // namespace freshet
