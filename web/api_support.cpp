#include "web/api_support.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>

#include "stream/error.h"
#include "stream/nearest_name.h"
#include "stream/utf8.h"
#include "web/json_limits.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::size_t kMostItems = 1000;
constexpr std::ptrdiff_t kMostReasonCharacters = 1000;
constexpr std::size_t kMostDigits = 18;  // any such number fits

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || text.empty() || value > EventLog::kNewest) {
    return std::nullopt;
  }
  return value;
}

std::string found(const json& value) { return value.dump().substr(0, 100); }

}  // namespace

Response json_response(const json& body, int status) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

Page page_of(const Request& request) {
  Page page;
  const std::string limit = request.query_value("limit", "100");
  const auto number = parse_number(limit);
  if (!number || *number == 0 || *number > kMostItems) {
    throw Error(ErrorKind::invalid,
                fmt::format("limit={}: expected a number from 1 to {}", limit, kMostItems));
  }
  page.limit = static_cast<std::size_t>(*number);
  if (!request.query.contains("cursor")) return page;
  const std::string cursor = request.query_value("cursor");
  page.after = parse_number(cursor);
  if (!page.after) {
    throw Error(ErrorKind::invalid,
                fmt::format("cursor={}: expected the \"next\" of the page before", cursor));
  }
  return page;
}

Response paged(const std::vector<json>& items, const char* key, Order order, const Page& page) {
  const auto number = [&](const json& item) { return item.at(key).get<std::uint64_t>(); };
  const bool descending = order == Order::descending;
  json list = json::array();
  json next;
  for (const json& item : items) {
    if (page.after && (descending ? number(item) >= *page.after : number(item) <= *page.after)) {
      continue;
    }
    if (list.size() == page.limit) {
      next = std::to_string(number(list.back()));
      break;
    }
    list.push_back(item);
  }
  return json_response({{"items", std::move(list)}, {"next", std::move(next)}});
}

json body_object(const Request& request, const std::vector<std::string>& keys) {
  json body = parse_json(request.body);
  if (!body.is_object()) {
    throw Error(ErrorKind::invalid,
                fmt::format("the body is {}, expected a JSON object", found(body)));
  }
  for (const auto& [key, value] : body.items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string nearest = nearest_name(key, keys);
    throw Error(ErrorKind::invalid,
                fmt::format("the key \"{}\" is not known here; {}", key,
                            nearest.empty() ? fmt::format("expected {}", fmt::join(keys, ", "))
                                            : fmt::format("did you mean \"{}\"?", nearest)));
  }
  return body;
}

std::string required_text(const json& object, const char* key) {
  const auto at = object.find(key);
  const std::string text = at != object.end() && at->is_string() ? at->get<std::string>() : "";
  const auto begin = text.find_first_not_of(' ');
  const bool is_one_line = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  // UTF-8, as all JSON that was let in.
  const auto characters = std::count_if(text.begin(), text.end(), begins_character);
  if (begin == std::string::npos || !is_one_line || characters > kMostReasonCharacters) {
    throw Error(
        ErrorKind::invalid,
        fmt::format("\"{}\": found {}, expected a text of 1 to {} characters in one line, "
                    "no control characters",
                    key, at == object.end() ? "nothing" : found(*at), kMostReasonCharacters));
  }
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::uint64_t required_number(const json& object, const char* key) {
  const auto at = object.find(key);
  // 3.0 is a whole number to JSON Schema, and to languages without integers.
  if (at != object.end() && at->is_number_float()) {
    const auto value = at->get<double>();
    if (value >= 0 && value < 0x1p53 && value == std::floor(value)) {
      return static_cast<std::uint64_t>(value);
    }
  }
  if (at == object.end() || !at->is_number_unsigned() || *at > EventLog::kNewest) {
    throw Error(ErrorKind::invalid, fmt::format("\"{}\": found {}, expected a whole number", key,
                                                at == object.end() ? "nothing" : found(*at)));
  }
  return at->get<std::uint64_t>();
}

bool optional_flag(const json& object, const char* key, bool otherwise) {
  const auto at = object.find(key);
  if (at == object.end()) return otherwise;
  if (!at->is_boolean()) {
    throw Error(ErrorKind::invalid,
                fmt::format("\"{}\": found {}, expected true or false", key, found(*at)));
  }
  return at->get<bool>();
}

std::optional<std::uint64_t> plain_number(std::string_view text) {
  if (text.size() > kMostDigits || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return parse_number(text);
}

std::optional<std::string> if_match(const Request& request) {
  const std::string tag = request.header("if-match");
  if (tag.empty()) return std::nullopt;
  const bool whole = tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' &&
                     tag.find('"', 1) == tag.size() - 1;
  if (!whole) {
    throw Error(ErrorKind::invalid,
                fmt::format("If-Match: {}: expected the ETag as it was given, in quotes", tag));
  }
  return tag.substr(1, tag.size() - 2);
}

std::vector<RouteParameter> page_parameters() {
  return {{.name = "limit",
           .schema = R"({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})",
           .description = "Items a page"},
          {.name = "cursor",
           .schema = R"({"type": "string", "pattern": "^[0-9]{1,18}$"})",
           .description = "The \"next\" of the page before"}};
}

RouteParameter if_match_parameter(const char* schema) {
  return {.name = "If-Match",
          .schema = schema,
          .description = "The ETag of what the decision is about, as GET gives it",
          .in_header = true,
          .required = true};
}

ServedPipeline& pipeline_of(Service& service, const Request& request) {
  return service.pipeline(request.parameters.at("pipeline"));
}

std::uint64_t number_of(const Request& request, const char* parameter) {
  return parse_number(request.parameters.at(parameter)).value_or(0);
}

Workspace read_registry(Service& service) {
  return Workspace::open(service.workspace().folder(), Workspace::Mode::read);
}

void add_view(RouteTable& routes, Service& service, const char* pattern, const char* summary,
              const char* schema, Response (*handler)(Service&, const Request&),
              std::vector<RouteParameter> parameters) {
  routes.add({.method = "GET",
              .pattern = std::string("/api/v1/pipelines") + pattern,
              .role = Role::view,
              .handler = [&service, handler](const Request& r) { return handler(service, r); },
              .summary = summary,
              .response_schema = schema,
              .also_takes = std::move(parameters)});
}

}  // namespace freshet
