#pragma once

#include <functional>
#include <string>
#include <variant>

#include "web/access.h"
#include "web/request.h"
#include "web/request_head.h"
#include "web/routes.h"

namespace freshet {

/// What every request has to pass, and the one place where a handler is called; without sockets.
/// Deny by default: a path that is no route is refused like one that needs `view`.
///
///   admit(head)    before a byte of the body is read: Host, Origin, route, credentials, size
///   answer(…)      the handler, its exceptions as problems
///   finish(…)      the headers that every answer has
///
/// Thread-safe, as its parts are.
class Gate {
 public:
  struct Admission {
    const Route* route = nullptr;
    Request request;  ///< all but the body
  };
  /// A line for the log, escaped already.
  using Log = std::function<void(const std::string& line)>;

  /// All must outlive this.
  Gate(const RouteTable& routes, Access& access, Log log)
      : routes_(routes), access_(access), log_(std::move(log)) {}

  std::variant<Admission, Response> admit(const RequestHead& head) const;
  /// Error becomes its problem; anything else 500 with nothing but the request's id, logged.
  Response answer(Admission admission, std::string body) const;
  /// Adds the security headers, X-Request-Id, and Cache-Control: no-store if there is none. An
  /// answer that would break the protocol (CR or LF in a header) becomes a 500.
  void finish(Response& response, const std::string& id) const;

  static std::string make_id();

 private:
  const RouteTable& routes_;
  Access& access_;
  Log log_;
};

}  // namespace freshet
