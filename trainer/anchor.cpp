#include "trainer/anchor.h"

#include <fmt/format.h>

#include <cstdint>

#include "stream/codec.h"
#include "stream/error.h"

namespace freshet {

namespace {

constexpr std::string_view kMark = "FrAnchor";
constexpr std::uint32_t kFormat = 2;  // 1 had no mark

}  // namespace

std::string anchor_bytes(std::string_view state) {
  Encoder format;
  format.put(kFormat);
  std::string bytes(kMark);
  bytes += format.bytes();
  bytes += state;
  return bytes;
}

std::string_view anchor_state(std::string_view anchor) {
  if (!anchor.starts_with(kMark)) return anchor;
  anchor.remove_prefix(kMark.size());
  const auto format = Decoder(anchor).get<std::uint32_t>();
  if (format != kFormat) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the anchor has format {}, this build reads formats 1 and {}", format,
                            kFormat));
  }
  return anchor.substr(sizeof format);
}

}  // namespace freshet
