#include "web/target.h"

#include <algorithm>
#include <charconv>

#include "stream/utf8.h"

namespace freshet {

namespace {

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      result += ' ';
    } else if (text[i] != '%') {
      result += text[i];
    } else {
      unsigned char byte = 0;
      const auto digits = text.substr(i + 1, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
        return std::nullopt;
      }
      result += static_cast<char>(byte);
      i += 2;
    }
  }
  const bool has_control = std::any_of(result.begin(), result.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control || utf8_defect(result)) return std::nullopt;
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  const auto question = target.find('?');
  Target result;
  result.path = target.substr(0, question);
  if (!result.path.starts_with('/')) return std::nullopt;
  if (result.path != "/") {
    for (const auto part : split(std::string_view(result.path).substr(1), '/')) {
      auto segment = decoded(part, false);
      if (!segment) return std::nullopt;
      result.segments.push_back(std::move(*segment));
    }
  }
  if (question == std::string_view::npos) return result;
  for (const auto part : split(target.substr(question + 1), '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto key = decoded(part.substr(0, equals), true);
    auto value =
        equals == std::string_view::npos ? std::string() : decoded(part.substr(equals + 1), true);
    if (!key || !value) return std::nullopt;
    result.query.emplace(std::move(*key), std::move(*value));
  }
  return result;
}

}  // namespace freshet
