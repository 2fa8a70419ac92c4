#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "web/request.h"
#include "web/request_head.h"
#include "web/routes.h"

namespace freshet {

/// Whose token it was, and what they may do.
struct Identity {
  std::string name;
  Role role = Role::none;
};

/// The tokens that let in, by their sha256 only. Thread-safe: `freshet token add` and `revoke` work
/// on a running server.
class Tokens {
 public:
  struct Token {
    std::string name;
    Role role = Role::view;
    std::string hash;  ///< hash_of(the token)
  };

  static std::string hash_of(std::string_view token);
  /// 256 random bits as hex. Throws Error{unavailable} if the system gives none.
  static std::string make();

  void add(Token token);
  /// All tokens of that name; false if there was none.
  bool revoke(const std::string& name);
  /// These instead of all there were.
  void replace(std::vector<Token> tokens);
  std::vector<Token> list() const;
  bool empty() const;
  /// Takes as long whether and wherever it is found: hashes are compared, all and in full.
  std::optional<Identity> find(std::string_view token) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Token> tokens_;
};

/// Decides who gets in: the Host allow-list (against DNS rebinding), the Origin, the credentials
/// and their role. After 10 bad credentials within 60 s, bad ones are answered 429, good ones as
/// ever. Thread-safe once the server has started.
class Access {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  struct Options {
    std::vector<std::string> allowed_hosts;  ///< --allow-host: NAME, or NAME:PORT
    bool tls = false;
    bool behind_proxy = false;  ///< which is taken to speak TLS
    Clock clock = [] { return std::chrono::steady_clock::now(); };
  };

  /// `tokens` must outlive this.
  Access(const Tokens& tokens, Options options) : tokens_(tokens), options_(std::move(options)) {}

  /// The server says where it listens; before that no Host is right but the configured ones.
  void listening_on(const std::string& address, int port);

  bool has_tokens() const { return !tokens_.empty(); }
  /// Whether there is a token of that name.
  bool knows(const std::string& token_name) const;

  /// 421 naming --allow-host unless Host is 127.0.0.1, localhost, [::1] or the address listened on,
  /// with the port, or a configured name; 403 for an Origin other than Host's.
  std::optional<Response> check_origin(const RequestHead& head) const;

  /// Who it is, by Authorization (Bearer, or Basic with the token as password), else by the cookie
  /// `freshet`. 401 for none or bad ones, 429 for too many different bad
  /// ones, 403 for too small a role and
  /// for a mutation by cookie without the header X-Freshet.
  std::variant<Identity, Response> identify(const RequestHead& head, Role needed);

  /// What `/login?token=…` answers: the cookie, and 303 to "/", so that the token leaves the URL.
  Response login(const Request& request);

 private:
  Response refuse_credentials(const std::string& wrong);

  const Tokens& tokens_;
  const Options options_;
  std::vector<std::string> hosts_;  ///< in lower case
  std::mutex mutex_;
  struct Failure {
    std::chrono::steady_clock::time_point time;
    std::string hash;
  };
  /// The different wrong tokens of the last 60 s, at most 10; one that comes again is no new guess.
  std::deque<Failure> failures_;
};

/// Adds GET /login, for everybody. `access` must outlive the table.
void add_login_route(RouteTable& routes, Access& access);

}  // namespace freshet
