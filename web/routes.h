#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/request.h"
#include "web/target.h"

namespace freshet {

inline constexpr std::size_t kDefaultBodyBytes = std::size_t{1024} * 1024;

/// A parameter in the query or a header, for openapi.json; the handler reads and checks it.
struct RouteParameter {
  std::string name;
  std::string schema;  ///< JSON Schema, as text
  std::string description;
  bool in_header = false;
  bool required = false;
};

/// One thing the server can be asked for.
struct Route {
  using Handler = std::function<Response(const Request&)>;

  std::string method;  ///< GET (answers HEAD too), POST, PUT, PATCH or DELETE
  /// Segments, literal or a parameter: `{pipeline}` matches [a-z0-9._-]{1,64} (not "." or ".."),
  /// `{version:number}` a decimal number below 2^63, `{name:text}` 1 to 256 bytes of any text,
  /// `{path:rest}`, as the last one, one or more segments of 1 to 256 bytes, joined by "/", none of
  /// them "." or ".." or with "/" or "\" in it.
  std::string pattern;
  Role role = Role::operate;  ///< who may: none is everybody; a forgotten one is the strictest
  Handler handler;            ///< throws Error for a problem; called by many threads at once
  std::string summary;        ///< a line for openapi.json
  std::string request_schema = {};   ///< names under components/schemas; empty: any or none
  std::string response_schema = {};  ///< empty: any
  std::vector<RouteParameter> also_takes = {};  ///< beside the path's parameters
  int success_status = 200;
  std::vector<std::string> answer_types = {"application/json"};  ///< of success; empty: no body
  /// Beside those that every route of its kind may answer.
  std::vector<int> other_statuses = {};
  /// What a body may be; empty: application/json. A body without a Content-Type is taken as it is.
  std::vector<std::string> content_types = {};
  /// The largest body: 1 MiB for POST, PUT and PATCH, else none, unless said here.
  std::optional<std::size_t> body_limit_bytes = {};

  std::size_t body_limit() const;
  /// Whether a body of this Content-Type (with parameters) is taken.
  bool takes(const std::string& content_type) const;
};

/// All routes: what is matched is what openapi.json tells and what the access test enumerates. Add
/// them all before the server starts; reading is then thread-safe.
///
///   RouteTable routes;
///   routes.add({.method = "GET", .pattern = "/api/v1/pipelines/{pipeline}", .role = Role::view,
///               .handler = …, .summary = "A pipeline's state"});
class RouteTable {
 public:
  struct Match {
    const Route* route = nullptr;  ///< nullptr: no such path, or not this method
    std::map<std::string, std::string> parameters;
    std::vector<std::string> allowed;  ///< the path's methods, sorted; empty: no such path
  };

  /// Throws Error{invalid} for a pattern or method that is none, a missing handler, and a route
  /// that is there already.
  void add(Route route);

  /// Where several patterns match, the one with the earlier literal segment wins. HEAD finds GET's.
  Match match(std::string_view method, const std::vector<std::string>& segments) const;

  const std::vector<Route>& routes() const { return routes_; }

  /// An OpenAPI 3.1 document (JSON). `schemas`: a JSON object, for components/schemas.
  std::string openapi_json(const std::string& title, const std::string& version,
                           const std::string& schemas = "{}") const;

 private:
  struct Segment {
    enum class Kind { literal, name, number, text, rest };
    Kind kind = Kind::literal;
    std::string text;  ///< the literal, or the parameter's name
  };
  using Segments = std::vector<Segment>;

  static Segments parse_pattern(const std::string& pattern);
  static bool accepts(const Segment& segment, const std::string& value);
  static bool matches(const Segments& pattern, const std::vector<std::string>& segments,
                      std::map<std::string, std::string>& parameters);

  std::vector<Route> routes_;
  std::vector<Segments> patterns_;  ///< of routes_, by index
};

}  // namespace freshet
