#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// nullopt if `bytes` are valid UTF-8, else where they are not: "invalid UTF-8: byte 0xff at
/// offset 12".
std::optional<std::string> utf8_defect(std::string_view bytes);

}  // namespace freshet
