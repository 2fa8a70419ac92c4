#include "web/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "stream/error.h"

namespace freshet {

namespace {

constexpr std::array<std::string_view, 5> kRouteMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};

bool is_dots(const std::string& text) { return text == "." || text == ".."; }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool Route::takes(const std::string& content_type) const {
  std::string type = content_type.substr(0, content_type.find_first_of("; "));
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (type.empty()) return true;
  if (content_types.empty()) return type == "application/json";
  return std::find(content_types.begin(), content_types.end(), type) != content_types.end();
}

std::size_t Route::body_limit() const {
  if (body_limit_bytes) return *body_limit_bytes;
  return method == "POST" || method == "PUT" || method == "PATCH" ? kDefaultBodyBytes : 0;
}

RouteTable::Segments RouteTable::parse_pattern(const std::string& pattern) {
  const auto target = parse_target(pattern);
  if (!target || target->path != pattern) {
    throw Error(ErrorKind::invalid, fmt::format("route {}: this is no path", pattern));
  }
  Segments segments;
  for (const std::string& text : target->segments) {
    if (!text.starts_with('{')) {
      segments.push_back({Segment::Kind::literal, text});
      continue;
    }
    const auto colon = std::min(text.find(':'), text.size() - 1);
    const std::string kind = colon + 1 < text.size()
                                 ? text.substr(colon + 1, text.size() - colon - 2)
                                 : std::string("name");
    static const std::map<std::string, Segment::Kind> kinds = {{"name", Segment::Kind::name},
                                                               {"number", Segment::Kind::number},
                                                               {"text", Segment::Kind::text},
                                                               {"rest", Segment::Kind::rest}};
    if (!text.ends_with('}') || !kinds.contains(kind)) {
      throw Error(ErrorKind::invalid,
                  fmt::format("route {}: \"{}\" is no parameter: {{name}}, {{name:number}}, "
                              "{{name:text}} or {{name:rest}}",
                              pattern, text));
    }
    segments.push_back({kinds.at(kind), text.substr(1, colon - 1)});
  }
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i].kind == Segment::Kind::rest) {
      throw Error(ErrorKind::invalid, fmt::format("route {}: rest must be the last", pattern));
    }
  }
  return segments;
}

void RouteTable::add(Route route) {
  if (std::find(kRouteMethods.begin(), kRouteMethods.end(), route.method) == kRouteMethods.end()) {
    throw Error(ErrorKind::invalid, fmt::format("route {}: \"{}\" is no method (HEAD is GET's)",
                                                route.pattern, route.method));
  }
  if (!route.handler) {
    throw Error(ErrorKind::invalid, fmt::format("route {}: it has no handler", route.pattern));
  }
  for (const Route& other : routes_) {
    if (other.method == route.method && other.pattern == route.pattern) {
      throw Error(ErrorKind::invalid,
                  fmt::format("route {} {}: it is there already", route.method, route.pattern));
    }
  }
  patterns_.push_back(parse_pattern(route.pattern));
  routes_.push_back(std::move(route));
}

bool RouteTable::accepts(const Segment& segment, const std::string& value) {
  switch (segment.kind) {
    case Segment::Kind::literal:
      return value == segment.text;
    case Segment::Kind::name:
      return !value.empty() && value.size() <= 64 && !is_dots(value) &&
             std::all_of(value.begin(), value.end(), is_name_character);
    case Segment::Kind::number:  // 18 digits are below 2^63
      return !value.empty() && value.size() <= 18 &&
             std::all_of(value.begin(), value.end(), is_digit);
    case Segment::Kind::text:
      return !value.empty() && value.size() <= 256;
    case Segment::Kind::rest:
      return !value.empty() && value.size() <= 256 && !is_dots(value) &&
             value.find_first_of("/\\") == std::string::npos;
  }
  return false;
}

bool RouteTable::matches(const Segments& pattern, const std::vector<std::string>& segments,
                         std::map<std::string, std::string>& parameters) {
  const bool has_rest = !pattern.empty() && pattern.back().kind == Segment::Kind::rest;
  if (has_rest ? segments.size() < pattern.size() : segments.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = pattern[std::min(i, pattern.size() - 1)];
    if (!accepts(segment, segments[i])) return false;
    if (segment.kind == Segment::Kind::literal) continue;
    std::string& value = parameters[segment.text];
    if (i >= pattern.size()) value += '/';
    value += segments[i];
  }
  return true;
}

RouteTable::Match RouteTable::match(std::string_view method,
                                    const std::vector<std::string>& segments) const {
  const auto kinds = [this](std::size_t index) {
    std::string text;
    for (const Segment& segment : patterns_[index]) {
      text += static_cast<char>('a' + static_cast<int>(segment.kind));
    }
    return text;
  };
  Match found;
  std::string best;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    std::map<std::string, std::string> parameters;
    if (!matches(patterns_[i], segments, parameters)) continue;
    const Route& route = routes_[i];
    found.allowed.push_back(route.method);
    if (route.method == "GET") found.allowed.emplace_back("HEAD");
    if (route.method != (method == "HEAD" ? "GET" : method)) continue;
    if (found.route && kinds(i) >= best) continue;
    found.route = &route;
    found.parameters = std::move(parameters);
    best = kinds(i);
  }
  std::sort(found.allowed.begin(), found.allowed.end());
  found.allowed.erase(std::unique(found.allowed.begin(), found.allowed.end()), found.allowed.end());
  return found;
}

}  // namespace freshet
