#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

namespace freshet {

/// What a document from outside may be; checked while it is parsed, so that nothing larger or
/// deeper ever stands in memory.
struct JsonLimits {
  std::size_t bytes = std::size_t{1024} * 1024;
  std::size_t depth = 64;  ///< of objects and arrays
};

/// Parses one JSON document (RFC 8259). Throws Error{invalid} naming the byte, from 0, where it
/// breaks a limit, is no JSON or no UTF-8, has a number that no double holds, or where an object's
/// key stands for the second time.
nlohmann::json parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace freshet
