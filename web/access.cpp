#include "web/access.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "stream/error.h"
#include "stream/sha256.h"
#include "web/problem.h"

namespace freshet {

namespace {

constexpr std::size_t kMaxFailures = 10;
constexpr std::chrono::seconds kFailureWindow{60};

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ b[i]));
  }
  return difference == 0;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xffU);
  }
  return bytes;
}

// The token in an Authorization header; nullopt if it holds none.
std::optional<std::string> token_in(const std::string& authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string::npos) return std::nullopt;
  const std::string scheme = lower_case(authorization.substr(0, space));
  const std::string rest = authorization.substr(space + 1);
  if (scheme == "bearer") return rest;
  if (scheme != "basic") return std::nullopt;
  const auto pair = base64_decoded(rest);
  if (!pair) return std::nullopt;
  const auto colon = pair->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return pair->substr(colon + 1);
}

std::optional<std::string> token_in_cookie(std::string_view cookies) {
  static constexpr std::string_view name = "freshet=";
  while (!cookies.empty()) {
    const auto end = std::min(cookies.find(';'), cookies.size());
    auto cookie = cookies.substr(0, end);
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    while (cookie.starts_with(' ')) cookie.remove_prefix(1);
    if (cookie.starts_with(name)) return std::string(cookie.substr(name.size()));
  }
  return std::nullopt;
}

// "https://host" -> {"https", "host"}
std::pair<std::string, std::string> split_origin(const std::string& origin) {
  const auto colon = origin.find("://");
  if (colon == std::string::npos) return {};
  return {lower_case(origin.substr(0, colon)), lower_case(origin.substr(colon + 3))};
}

}  // namespace

std::string Tokens::hash_of(std::string_view token) { return sha256_hex(token); }

std::string Tokens::make() {
  std::array<unsigned char, 32> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorKind::unavailable, "the system gives no random bytes for a token");
  }
  std::string token;
  for (const auto byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

void Tokens::add(Token token) {
  const std::lock_guard lock(mutex_);
  tokens_.push_back(std::move(token));
}

bool Tokens::revoke(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(tokens_, [&](const Token& token) { return token.name == name; }) > 0;
}

void Tokens::replace(std::vector<Token> tokens) {
  const std::lock_guard lock(mutex_);
  tokens_ = std::move(tokens);
}

std::vector<Tokens::Token> Tokens::list() const {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

bool Tokens::empty() const {
  const std::lock_guard lock(mutex_);
  return tokens_.empty();
}

std::optional<Identity> Tokens::find(std::string_view token) const {
  const std::string hash = hash_of(token);
  const std::lock_guard lock(mutex_);
  std::optional<Identity> found;
  for (const Token& known : tokens_) {
    if (equal_in_constant_time(known.hash, hash)) found = Identity{known.name, known.role};
  }
  return found;
}

bool Access::knows(const std::string& token_name) const {
  const auto all = tokens_.list();
  return std::any_of(all.begin(), all.end(),
                     [&](const Tokens::Token& token) { return token.name == token_name; });
}

void Access::listening_on(const std::string& address, int port) {
  hosts_.clear();
  const std::string own =
      address.find(':') == std::string::npos ? address : fmt::format("[{}]", address);
  const bool is_default_port = port == (options_.tls ? 443 : 80);
  for (const std::string& name : {std::string("127.0.0.1"), std::string("localhost"),
                                  std::string("[::1]"), lower_case(own)}) {
    hosts_.push_back(fmt::format("{}:{}", name, port));
    if (is_default_port) hosts_.push_back(name);
  }
  for (const std::string& name : options_.allowed_hosts) {
    hosts_.push_back(lower_case(name));
    hosts_.push_back(fmt::format("{}:{}", lower_case(name), port));
  }
}

std::optional<Response> Access::check_origin(const RequestHead& head) const {
  const std::string host = lower_case(head.header("host"));
  if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) {
    return problem(421, fmt::format("The host \"{}\" is not one of this server's. If it should be, "
                                    "start it with --allow-host NAME.",
                                    escaped_for_log(host.substr(0, 255))));
  }
  const auto origin = head.headers.find("origin");
  if (origin == head.headers.end()) return std::nullopt;
  const auto [scheme, origin_host] = split_origin(origin->second);
  const bool is_scheme = (scheme == "https" && (options_.tls || options_.behind_proxy)) ||
                         (scheme == "http" && !options_.tls);
  if (is_scheme && origin_host == host) return std::nullopt;
  return problem(403, "Requests from pages of another origin are refused.");
}

Response Access::refuse_credentials(const std::string& wrong) {
  const auto now = options_.clock();
  const std::lock_guard lock(mutex_);
  while (!failures_.empty() && now - failures_.front().time >= kFailureWindow) {
    failures_.pop_front();
  }
  const std::string hash = Tokens::hash_of(wrong);
  const bool is_known = std::any_of(failures_.begin(), failures_.end(),
                                    [&](const Failure& f) { return f.hash == hash; });
  if (!is_known && failures_.size() >= kMaxFailures) {
    const auto left = kFailureWindow - (now - failures_.front().time);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
    return problem_try_again(429, static_cast<int>(seconds),
                             "There were too many tries with a wrong token.");
  }
  if (!is_known) failures_.push_back({now, hash});
  Response response = problem(401, "This token is not known.");
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"freshet\"");
  return response;
}

std::variant<Identity, Response> Access::identify(const RequestHead& head, Role needed) {
  const bool has_authorization = head.headers.contains("authorization");
  const auto token = has_authorization ? token_in(head.header("authorization"))
                                       : token_in_cookie(head.header("cookie"));
  if (!token && !has_authorization) {
    Response response = problem(
        401, "A token is needed: open the login link, or send Authorization: Bearer TOKEN.");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"freshet\"");
    return response;
  }
  const auto identity = token ? tokens_.find(*token) : std::nullopt;
  if (!identity) return refuse_credentials(token.value_or(""));
  if (identity->role < needed) {
    return problem(403, fmt::format("The token \"{}\" may only view.", identity->name));
  }
  const bool is_mutation = head.method != "GET" && head.method != "HEAD";
  if (is_mutation && !has_authorization && !head.headers.contains("x-freshet")) {
    return problem(403, "With the cookie, a change needs the header X-Freshet.");
  }
  return *identity;
}

Response Access::login(const Request& request) {
  const std::string token = request.query_value("token");
  if (!tokens_.find(token)) return refuse_credentials(token);
  const bool is_secure = options_.tls || options_.behind_proxy;
  Response response;
  response.status = 303;
  response.headers.emplace_back("Location", "/");
  response.headers.emplace_back(
      "Set-Cookie", fmt::format("freshet={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000{}",
                                token, is_secure ? "; Secure" : ""));
  return response;
}

void add_login_route(RouteTable& routes, Access& access) {
  routes.add({.method = "GET",
              .pattern = "/login",
              .role = Role::none,
              .handler = [&access](const Request& request) { return access.login(request); },
              .summary = "Exchanges ?token= for the cookie, and redirects to /",
              .also_takes = {{.name = "token",
                              .schema = R"({"type": "string", "pattern": "^[!-~]{1,512}$"})",
                              .description = "The token",
                              .required = true}},
              .success_status = 303,
              .answer_types = {},
              .other_statuses = {401, 429}});
}

}  // namespace freshet
