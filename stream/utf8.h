#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// nullopt if `bytes` are valid UTF-8, else where they are not: "invalid UTF-8: byte 0xff at
/// offset 12".
std::optional<std::string> utf8_defect(std::string_view bytes);

/// Whether a byte of UTF-8 is the first of its character: all others are 10xxxxxx.
inline bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

}  // namespace freshet
