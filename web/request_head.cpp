#include "web/request_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "stream/blanks.h"
#include "web/problem.h"

namespace freshet {

namespace {

// Headers of which a second one would leave open which of the two holds.
constexpr std::array<std::string_view, 12> kOnce = {
    "authorization", "content-encoding", "content-length", "content-type", "cookie", "expect",
    "host",          "if-match",         "if-none-match",  "origin",       "range",  "x-freshet"};
// Those that HTTP knows; what a path does not take is answered with 405.
constexpr std::array<std::string_view, 9> kMethods = {"GET",   "HEAD",    "POST",  "PUT",  "DELETE",
                                                      "PATCH", "OPTIONS", "TRACE", "QUERY"};

template <class Array>
bool has(const Array& array, std::string_view text) {
  return std::find(array.begin(), array.end(), text) != array.end();
}

bool is_token(std::string_view text) {
  static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || others.find(c) != std::string_view::npos;
  });
}

// Neither control bytes nor, percent-encoded, CR, LF or NUL, which httplib and others decode.
bool is_clean_value(std::string_view value) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto byte = static_cast<unsigned char>(value[i]);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
    if (byte == '%' && i + 2 < value.size() && value[i + 1] == '0') {
      const char low = static_cast<char>(value[i + 2] | 0x20);
      if (low == 'd' || low == 'a' || value[i + 2] == '0') return false;
    }
  }
  return true;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::optional<Response> read_request_line(std::string_view line, RequestHead& head) {
  if (line.size() > kMaxRequestLineBytes) return problem(414, "The request line is over 8 KiB.");
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return problem(400, "The request line must be: METHOD TARGET HTTP/1.1.");
  }
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(head.method)) return problem(400, "The method is no token.");
  if (!version.starts_with("HTTP/")) return problem(400, "The request line has no HTTP version.");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return problem(505, "Only HTTP/1.0 and HTTP/1.1 are spoken.");
  if (!has(kMethods, head.method)) {
    return problem(501, fmt::format("The method {} is unknown.", head.method.substr(0, 20)));
  }
  const bool is_visible = std::all_of(head.target.begin(), head.target.end(),
                                      [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!is_visible || !head.target.starts_with('/')) {
    return problem(400, "The target must be a path in visible ASCII that begins with \"/\".");
  }
  return std::nullopt;
}

std::optional<Response> read_header(std::string_view line, RequestHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return problem(400, "A header line must be: Name: value.");
  }
  const std::string name = lower_case(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_clean_value(value)) {
    return problem(400, fmt::format("The header {} has control characters, as bytes or encoded.",
                                    name.substr(0, 40)));
  }
  if (name.find('_') != std::string::npos) return std::nullopt;
  const auto [at, is_new] = head.headers.emplace(name, value);
  if (is_new) return std::nullopt;
  if (has(kOnce, name)) return problem(400, fmt::format("The header {} stands twice.", name));
  at->second.append(", ").append(value);
  return std::nullopt;
}

std::optional<Response> read_body_size(RequestHead& head) {
  const auto length = head.headers.find("content-length");
  if (head.headers.contains("transfer-encoding")) {
    if (length != head.headers.end()) {
      return problem(400, "Content-Length and Transfer-Encoding exclude each other.");
    }
    return problem(411, "Transfer-Encoding is not taken: send a Content-Length.");
  }
  if (length == head.headers.end()) return std::nullopt;
  const std::string& digits = length->second;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, head.body_bytes);
  if (error != std::errc() || rest != end) {
    return problem(400, "Content-Length must be one decimal number.");
  }
  return std::nullopt;
}

std::optional<Response> check_meaning(RequestHead& head) {
  if (!head.headers.contains("host")) return problem(400, "The header Host is missing.");
  const std::string encoding = lower_case(head.header("content-encoding"));
  if (!encoding.empty() && encoding != "identity") {
    return problem(415, "Content-Encoding is not taken: send the body as it is.");
  }
  if (lower_case(head.header("content-type")).starts_with("multipart/")) {
    return problem(415, "Multipart bodies are not taken.");
  }
  if (const std::string expect = lower_case(head.header("expect")); !expect.empty()) {
    if (expect != "100-continue") return problem(417, "Only Expect: 100-continue is understood.");
    head.expects_continue = true;
  }
  return std::nullopt;
}

}  // namespace

std::variant<RequestHead, Response> parse_request_head(std::string_view bytes) {
  if (bytes.size() > kMaxHeadBytes) return problem(431, "The headers are over 16 KiB.");
  RequestHead head;
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < bytes.size(); ++count) {
    const auto end = bytes.find("\r\n", begin);
    if (end == std::string_view::npos) return problem(400, "A line does not end in CRLF.");
    const auto line = bytes.substr(begin, end - begin);
    if (line.empty() && count > 0) break;
    if (count > kMaxHeaders) return problem(431, "There are over 100 headers.");
    const auto refusal = count == 0 ? read_request_line(line, head) : read_header(line, head);
    if (refusal) return *refusal;
    begin = end + 2;
  }
  if (auto refusal = read_body_size(head)) return *refusal;
  if (auto refusal = check_meaning(head)) return *refusal;
  return head;
}

}  // namespace freshet
