#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "web/request.h"

namespace freshet {

/// Request line and header fields, read strictly (RFC 9112; where it allows leniency we have none).
struct RequestHead {
  std::string method;                          ///< upper case, a known one
  std::string target;                          ///< begins with "/"; not decoded
  std::map<std::string, std::string> headers;  ///< names in lower case; repeated: "a, b"
  std::uint64_t body_bytes = 0;                ///< Content-Length
  bool expects_continue = false;

  /// Empty if it was not sent.
  std::string header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
  }
};

inline constexpr std::size_t kMaxHeadBytes = std::size_t{16} * 1024;
inline constexpr std::size_t kMaxRequestLineBytes = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxHeaders = 100;

/// Reads a head up to and with its empty line, or gives the refusal to answer with: anything two
/// readers could take in two ways, and every way to send a body but one Content-Length. So: 400 for
/// bare CR or LF, control bytes, folded lines, spaces before a colon, a repeated Content-Length,
/// Host or credential, Content-Length with Transfer-Encoding, GET or HEAD with a body, an encoded
/// CR, LF or NUL (%0d) in a header, a target that is no path; 411 Transfer-Encoding; 415
/// Content-Encoding and multipart; 417; 414 and 431 for sizes; 501 and 505 for other methods and
/// versions. Headers with "_" in their names (REMOTE_ADDR) are dropped.
std::variant<RequestHead, Response> parse_request_head(std::string_view bytes);

}  // namespace freshet
