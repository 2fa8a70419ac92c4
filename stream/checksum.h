#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace freshet {

/// Finds damage, not forgery: 128 bits of XXH3 as 32 lower-case hex digits, over the numbers (as
/// u64, little-endian) and then the bytes. Some ten times as quick as sha256, which names what is
/// content-addressed. Throws std::bad_alloc only. Thread-safe.
std::string checksum(std::initializer_list<std::uint64_t> numbers, std::string_view bytes);

}  // namespace freshet
