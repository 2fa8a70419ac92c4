#include "orchestrator/config_problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace freshet {

ConfigPlace ConfigPlace::key(std::string_view name) const {
  return {JsonPositions::child(pointer, name),
          path.empty() ? std::string(name) : fmt::format("{}.{}", path, name)};
}

ConfigPlace ConfigPlace::item(std::size_t index) const {
  return {fmt::format("{}/{}", pointer, index), fmt::format("{}[{}]", path, index)};
}

void ConfigProblems::value(const ConfigPlace& place, const std::string& message) {
  problems_.push_back({positions_.value(place.pointer), place.pointer,
                       place.path.empty() ? message : place.path + ": " + message});
}

void ConfigProblems::key(const ConfigPlace& place, const std::string& message) {
  problems_.push_back({positions_.key(place.pointer), place.pointer, place.path + ": " + message});
}

void ConfigProblems::consequence(const ConfigPlace& place, const std::string& message) {
  const auto within = [](const std::string& inner, const std::string& outer) {
    return inner.starts_with(outer) &&
           (inner.size() == outer.size() || outer.empty() || inner[outer.size()] == '/');
  };
  const auto related = [&](const Problem& problem) {
    return within(problem.pointer, place.pointer) || within(place.pointer, problem.pointer);
  };
  if (std::none_of(problems_.begin(), problems_.end(), related)) value(place, message);
}

void ConfigProblems::at(std::size_t offset, const std::string& message) {
  problems_.push_back({offset, {}, message});
}

std::string ConfigProblems::text() const {
  std::vector<Problem> sorted = problems_;
  const auto before = [](const Problem& a, const Problem& b) { return a.offset < b.offset; };
  std::stable_sort(sorted.begin(), sorted.end(), before);
  std::string text;
  for (const Problem& problem : sorted) {
    const LineColumn place = positions_.line_column(problem.offset);
    text += fmt::format("{}{}:{}:{}: {}", text.empty() ? "" : "\n", file_name_, place.line,
                        place.column, problem.message);
  }
  return text;
}

}  // namespace freshet
