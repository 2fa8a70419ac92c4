#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/loopback.h"
#include "web/server.h"

namespace freshet {

/// A client that sends and receives bytes as they are.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(connect_to_loopback(port)) {}
  RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }

  bool is_connected() const { return socket_ >= 0; }
  int socket() const { return socket_; }

  /// False if the server has closed.
  bool send(std::string_view bytes) const { return send_all(socket_, bytes); }
  void end_sending() const { ::shutdown(socket_, SHUT_WR); }

  /// What comes until the server closes, `until` is in it, or the time is over.
  std::string receive(std::string_view until = {},
                      std::chrono::milliseconds within = std::chrono::seconds(15)) const {
    const auto deadline = std::chrono::steady_clock::now() + within;
    std::string bytes;
    char chunk[65536];
    while (is_connected()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      pollfd entry{socket_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) return bytes;
      const auto count = ::recv(socket_, chunk, sizeof chunk, 0);
      if (count <= 0) return bytes;
      bytes.append(chunk, static_cast<std::size_t>(count));
      if (!until.empty() && bytes.find(until) != std::string::npos) return bytes;
    }
    return bytes;
  }

 private:
  int socket_;
};

/// The status of an answer; 0 if it is none.
inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") && answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}

/// A server on 127.0.0.1 with a few routes and a token for each role.
class Served {
 public:
  explicit Served(const std::function<void(Server::Options&)>& adjust = {},
                  const std::function<void(RouteTable&)>& more_routes = {},
                  Access::Options access_options = {})
      : access(tokens, std::move(access_options)) {
    tokens.add({"viewer", Role::view, Tokens::hash_of("view-token")});
    tokens.add({"operator", Role::operate, Tokens::hash_of("operate-token")});
    add_routes();
    if (more_routes) more_routes(routes);
    Server::Options options;
    if (adjust) adjust(options);
    server = std::make_unique<Server>(options, routes, access, [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_ += line + "\n";
    });
    server->start();
  }

  int port() const { return server->port(); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  RawClient client() const { return RawClient(port()); }
  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  /// Sends bytes in which HOST stands for the right host; gives the whole answer.
  std::string ask(std::string bytes) const {
    for (auto at = bytes.find("HOST"); at != std::string::npos; at = bytes.find("HOST", at)) {
      bytes.replace(at, 4, host());
    }
    const RawClient client(port());
    client.send(bytes);
    return client.receive();
  }
  std::string get(const std::string& target, const std::string& headers = "") const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: HOST\r\n" + headers + "\r\n");
  }

  Tokens tokens;
  Access access;
  RouteTable routes;

 private:
  mutable std::mutex mutex_;
  std::string log_;  // the server's threads write to it until they have ended

 public:
  std::unique_ptr<Server> server;

 private:
  static Response text(std::string body) {
    Response response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
  }
  void add(std::string method, std::string pattern, Role role, Route::Handler handler) {
    Route route;
    route.method = std::move(method);
    route.pattern = std::move(pattern);
    route.role = role;
    route.handler = std::move(handler);
    routes.add(std::move(route));
  }
  void add_routes() {
    add("GET", "/livez", Role::none, [](const Request&) { return text("alive"); });
    add("GET", "/api/v1/pipelines/{pipeline}", Role::view, [](const Request& request) {
      return text(request.parameters.at("pipeline") + " for " + request.token_name);
    });
    add("GET", "/headers", Role::none, [](const Request& request) {
      std::string all;
      for (const auto& [name, value] : request.headers) all += name + "=" + value + "\n";
      return text(all);
    });
    add("POST", "/echo", Role::none, [](const Request& request) { return text(request.body); });
    add("DELETE", "/thing", Role::none, [](const Request&) { return text("gone"); });
    add("POST", "/api/v1/pipelines/{pipeline}/promote", Role::operate,
        [](const Request&) { return text("promoted"); });
    add("GET", "/fails", Role::none, [](const Request&) -> Response {
      throw std::runtime_error("secret: /var/lib\n2026 forged line");
    });
    add("GET", "/splits", Role::none, [](const Request&) {
      Response response = text("x");
      response.headers.emplace_back("X-Name", "a\r\nSet-Cookie: b=c");
      return response;
    });
    add_login_route(routes, access);
  }
};

}  // namespace freshet
