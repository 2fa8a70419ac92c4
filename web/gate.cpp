#include "web/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <random>
#include <utility>

#include "stream/error.h"
#include "web/problem.h"
#include "web/target.h"

namespace freshet {

namespace {

// What a handler may see; credentials and whatever else was sent stay outside.
constexpr std::array<std::string_view, 8> kPassedOn = {
    "accept",   "accept-encoding", "content-type",  "host",
    "if-match", "if-none-match",   "last-event-id", "inference-header-content-length"};

constexpr std::array<std::pair<const char*, const char*>, 6> kSecurityHeaders = {{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
}};

bool breaks_line(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool is_broken(const Response& response) {
  return breaks_line(response.content_type) ||
         std::any_of(response.headers.begin(), response.headers.end(), [](const auto& header) {
           return breaks_line(header.first) || breaks_line(header.second);
         });
}

Response no_route(const RouteTable::Match& match) {
  if (match.allowed.empty()) return problem(404, "There is nothing at this path.");
  std::string allowed;
  for (const std::string& method : match.allowed) {
    allowed += (allowed.empty() ? "" : ", ") + method;
  }
  Response response = problem(405, "This path takes " + allowed + ".");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

Response internal_error(const std::string& id) {
  return problem(500, fmt::format("Something failed inside; the log has more under {}.", id));
}

}  // namespace

std::string Gate::make_id() {
  static const unsigned start = std::random_device()();
  static std::atomic<unsigned> count{0};
  return fmt::format("{:08x}-{:06x}", start, ++count);
}

std::variant<Gate::Admission, Response> Gate::admit(const RequestHead& head) const {
  if (auto refusal = access_.check_origin(head)) return std::move(*refusal);
  auto target = parse_target(head.target);
  if (!target) return problem(400, "The path or query has an escape that is no UTF-8 text.");
  auto match = routes_.match(head.method, target->segments);
  const Role needed = match.route ? match.route->role : Role::view;
  Identity identity;
  if (needed != Role::none) {
    auto found = access_.identify(head, needed);
    if (auto* refusal = std::get_if<Response>(&found)) return std::move(*refusal);
    identity = std::get<Identity>(std::move(found));
  }
  if (!match.route) return no_route(match);
  const std::size_t limit = match.route->body_limit();
  if (head.body_bytes > limit && limit == 0) return problem(400, "This request takes no body.");
  if (head.body_bytes > limit) {
    return problem(
        413, fmt::format("The body has {} bytes; {} are taken here.", head.body_bytes, limit));
  }
  if (head.body_bytes > 0 && !match.route->takes(head.header("content-type"))) {
    return problem(415, "The body's Content-Type is none that is taken here: " +
                            (match.route->content_types.empty()
                                 ? std::string("application/json")
                                 : fmt::format("{}", fmt::join(match.route->content_types, ", "))) +
                            ".");
  }
  Admission admission;
  admission.route = match.route;
  Request& request = admission.request;
  request.method = match.route->method;
  request.path = std::move(target->path);
  request.parameters = std::move(match.parameters);
  request.query = std::move(target->query);
  for (const auto name : kPassedOn) {
    const auto found = head.headers.find(std::string(name));
    if (found != head.headers.end()) request.headers.insert(*found);
  }
  request.role = identity.role;
  if (needed != Role::none) {
    request.is_still_let_in = [&access = access_, name = identity.name] {
      return access.knows(name);
    };
  }
  request.token_name = std::move(identity.name);
  return admission;
}

Response Gate::answer(Admission admission, std::string body) const {
  Request& request = admission.request;
  request.body = std::move(body);
  try {
    return admission.route->handler(request);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::unavailable) {
      log_(fmt::format("{} {} {}: {}", request.id, request.method, escaped_for_log(request.path),
                       escaped_for_log(error.what())));
    }
    return problem(error);
  } catch (const std::exception& error) {
    log_(fmt::format("{} {} {}: {}", request.id, request.method, escaped_for_log(request.path),
                     escaped_for_log(error.what())));
  } catch (...) {
    log_(fmt::format("{} {} {}: something that is no std::exception was thrown", request.id,
                     request.method, escaped_for_log(request.path)));
  }
  return internal_error(request.id);
}

void Gate::finish(Response& response, const std::string& id) const {
  if (is_broken(response)) {
    log_(id + ": the answer had control characters in a header");
    response = internal_error(id);
  }
  const bool has_cache_control =
      std::any_of(response.headers.begin(), response.headers.end(),
                  [](const auto& header) { return header.first == "Cache-Control"; });
  if (!has_cache_control) response.headers.emplace_back("Cache-Control", "no-store");
  for (const auto& [name, value] : kSecurityHeaders) response.headers.emplace_back(name, value);
  response.headers.emplace_back("X-Request-Id", id);
}

}  // namespace freshet
