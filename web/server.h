#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "web/access.h"
#include "web/gate.h"
#include "web/reception.h"
#include "web/routes.h"

namespace freshet {

/// The HTTP server: one request per connection, each within limits of size, number and time,
/// nothing answered that the gate did not admit.
///
///   Tokens tokens;  Access access(tokens, {});  RouteTable routes;
///   routes.add({…});  add_login_route(routes, access);
///   Server server({.port = 8420}, routes, access, log);
///   server.start();                     // http://127.0.0.1:8420
///   …
///   server.stop();
///
/// How a request goes: cpp-httplib accepts; the reception reads it whole and has the gate let it
/// in; a worker calls the handler; cpp-httplib writes the answer. What cpp-httplib parses is a
/// request line of our own ("GET / HTTP/1.1"), never a client's byte, whatever its version lets
/// through.
///
/// `start` and `stop` are called by one thread, handlers by up to `workers` at once.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";  ///< an IP address, or "localhost"
    int port = 0;                       ///< 0: a free one
    std::string tls_certificate_file;   ///< PEM; both or neither
    std::string tls_key_file;
    bool behind_proxy = false;
    std::size_t workers = 256;
    std::size_t streams = 32;  ///< event streams at once; past that 503 with Retry-After
    /// For an answer to be taken; 1 s more for each 64 KiB of it.
    std::chrono::milliseconds writing{10'000};
    Reception::Limits limits;
    /// Told of each answer before it goes out: what was asked for (nullptr: refused before that was
    /// clear), its status, and the time since the request was here. Called by many threads.
    std::function<void(const Route* route, int status, double seconds)> observe;
  };

  /// `routes` and `access` must outlive this, and say the same of TLS and proxy as `options`.
  Server(Options options, const RouteTable& routes, Access& access, Gate::Log log);
  /// Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds, then serves on threads of its own. Throws Error{invalid} for an address that is not
  /// loopback without a token, and TLS or behind_proxy, naming the flags, and for certificates that
  /// can't be used; Error{unavailable} if the address is taken or the limit of open files too low.
  void start();
  /// The port bound; 0 before `start`.
  int port() const;
  /// Accepts no more, answers what has begun to come (within its deadline), ends event streams.
  void stop();

 private:
  class Listener;

  Options options_;
  Access& access_;
  Gate::Log log_;
  Gate gate_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace freshet
