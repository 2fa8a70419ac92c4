#include "web/problem.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace freshet {

std::string_view status_title(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

Response problem(int status, std::string_view detail) {
  const nlohmann::ordered_json body = {{"type", "about:blank"},
                                       {"title", status_title(status)},
                                       {"status", status},
                                       {"detail", detail}};
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

Response problem_try_again(int status, int after_seconds, std::string_view detail) {
  Response response = problem(status, detail);
  response.headers.emplace_back("Retry-After", std::to_string(after_seconds));
  return response;
}

Response problem(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::invalid:
      return problem(400, error.what());
    case ErrorKind::not_found:
      return problem(404, error.what());
    case ErrorKind::conflict:
      return problem(409, error.what());
    case ErrorKind::corrupt:
      return problem(500, error.what());
    case ErrorKind::unavailable:
      return problem_try_again(503, 1, error.what());
  }
  return problem(500, "");
}

std::string escaped_for_log(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e || c == '\\') {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace freshet
