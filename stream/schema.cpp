#include "stream/schema.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace freshet {

std::optional<double> parse_label(Task task, const LabelSpec& label, std::string_view text) {
  if (task == Task::multiclass) {
    for (std::size_t i = 0; i < label.classes.size(); ++i) {
      if (label.classes[i] == text) return static_cast<double>(i);
    }
    return std::nullopt;
  }
  if (task == Task::binary && (text == "true" || text == "True" || text == "TRUE")) return 1.0;
  if (task == Task::binary && (text == "false" || text == "False" || text == "FALSE")) return 0.0;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  constexpr double kMost = std::numeric_limits<float>::max() / 2;
  if (error != std::errc() || read != end || !(std::abs(value) <= kMost)) return std::nullopt;
  if (task == Task::binary && value != 0 && value != 1) return std::nullopt;
  return value;
}

}  // namespace freshet
