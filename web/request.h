#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// What somebody may do: `operate` includes `view`, `view` includes `none` (nobody known).
enum class Role { none, view, operate };

/// One request as a handler sees it: parsed, within all limits, and let in. Nothing here is a path
/// on this machine, and credentials are left out.
struct Request {
  std::string method;                             ///< upper case; HEAD comes as GET
  std::string path;                               ///< as sent, without the query
  std::map<std::string, std::string> parameters;  ///< of the path, decoded: {"pipeline", "bikes"}
  std::multimap<std::string, std::string> query;  ///< decoded; a key may stand more than once
  std::map<std::string, std::string> headers;     ///< names in lower case; see `header`
  std::string body;
  Role role = Role::none;
  std::string token_name;  ///< whose token let it in; empty: a route for everybody
  /// Whether that token holds still, for answers that go on; unset for a route for everybody.
  std::function<bool()> is_still_let_in;
  std::string id;  ///< also in the answer's X-Request-Id

  /// A header's value; empty if it was not sent. Repeated ones are joined with ", ".
  std::string header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
  }
  /// The first value of a query key; `otherwise` if it was not sent.
  std::string query_value(const std::string& key, const std::string& otherwise = "") const {
    const auto found = query.find(key);
    return found == query.end() ? otherwise : found->second;
  }
};

/// What a handler answers. The server adds Content-Length, Date, X-Request-Id and the security
/// headers, and Cache-Control: no-store unless `headers` has one.
struct Response {
  /// Sends bytes at once; false if the client is gone or the server stops: give up.
  using Write = std::function<bool(std::string_view bytes)>;

  int status = 200;
  std::string content_type;  ///< always, where there is a body
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// If set, the body comes from here (server-sent events): called again and again, on a thread of
  /// its own, until it gives false, the client is gone or the server stops. A call should return
  /// within a second or so, for the stop, and write a comment line from time to time.
  std::function<bool(const Write& write)> stream;
};

}  // namespace freshet
