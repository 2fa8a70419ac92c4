#pragma once

#include <string_view>

namespace freshet {

// What counts as nothing in lines, cells and header values. Never throws; any thread.

/// Without the spaces and tabs at both ends: a view into `text`, empty where there is nothing else.
inline std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Whether a line holds only spaces and tabs, and perhaps the CR of its end.
inline bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace freshet
