#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "web/routes.h"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

Json reference(const std::string& schema) {
  return schema.empty() ? Json::object() : Json{{"$ref", "#/components/schemas/" + schema}};
}

Json problem_reference() { return {{"$ref", "#/components/responses/Problem"}}; }

Json security(Role role) {
  if (role == Role::none) return Json::array();
  Json any = Json::array();
  for (const char* scheme : {"bearer", "basic", "cookie"}) {
    any.push_back({{scheme, Json::array()}});
  }
  return any;
}

// What a route may refuse with: by what it takes, and of its own.
std::set<int> refusals(const Route& route, const Json& parameters) {
  std::set<int> all = {400, 403, 408, 414, 421, 431, 500, 503};
  all.insert(route.other_statuses.begin(), route.other_statuses.end());
  if (route.role != Role::none) all.insert({401, 429});
  if (route.body_limit() > 0) all.insert({411, 413, 415});
  const bool has_path = std::any_of(parameters.begin(), parameters.end(),
                                    [](const Json& p) { return p.at("in") == "path"; });
  if (has_path) all.insert(404);
  return all;
}

Json answers_of(const Route& route, const Json& parameters) {
  Json success = {{"description", "Done"}};
  for (const std::string& type : route.answer_types) {
    const bool is_json = type == "application/json";
    success["content"][type] = {
        {"schema", is_json ? reference(route.response_schema) : Json{{"type", "string"}}}};
  }
  Json answers = {{std::to_string(route.success_status), std::move(success)}};
  for (const int status : refusals(route, parameters)) {
    answers[std::to_string(status)] =
        status == 304 ? Json{{"description", "It is as you have it"}} : problem_reference();
  }
  return answers;
}

Json operation(const Route& route, Json parameters) {
  for (const RouteParameter& p : route.also_takes) {
    parameters.push_back({{"name", p.name},
                          {"in", p.in_header ? "header" : "query"},
                          {"required", p.required},
                          {"description", p.description},
                          {"schema", Json::parse(p.schema)}});
  }
  Json answers = answers_of(route, parameters);
  Json result = {{"summary", route.summary},
                 {"security", security(route.role)},
                 {"x-role", route.role == Role::none   ? "none"
                            : route.role == Role::view ? "view"
                                                       : "operate"}};
  if (!parameters.empty()) result["parameters"] = parameters;
  if (route.body_limit() > 0) {
    Json content = Json::object();
    for (const std::string& type : route.content_types) {
      // JSON lines are no JSON value but a text.
      const bool is_text = type != "application/json";
      content[type] = {{"schema", reference(is_text ? "JsonLines" : route.request_schema)}};
    }
    if (content.empty()) {
      content["application/json"] = {{"schema", reference(route.request_schema)}};
    }
    result["requestBody"] = {{"required", true}, {"content", std::move(content)}};
  }
  result["responses"] = std::move(answers);
  return result;
}

Json components(const std::string& schemas) {
  Json named = Json::parse(schemas);
  named["JsonLines"] = {{"description", "JSON lines: an object each"},
                        {"type", "string"},
                        {"pattern", "[^ \\t\\r\\n]"}};
  named["Problem"] = {{"type", "object"},
                      {"description", "RFC 9457"},
                      {"required", {"type", "title", "status", "detail"}},
                      {"properties",
                       {{"type", {{"type", "string"}}},
                        {"title", {{"type", "string"}}},
                        {"status", {{"type", "integer"}}},
                        {"detail", {{"type", "string"}}}}}};
  return {
      {"schemas", std::move(named)},
      {"responses",
       {{"Problem",
         {{"description", "What is wrong, and what would be right"},
          {"content", {{"application/problem+json", {{"schema", reference("Problem")}}}}}}}}},
      {"securitySchemes",
       {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
        {"basic",
         {{"type", "http"}, {"scheme", "basic"}, {"description", "The password is the token."}}},
        {"cookie",
         {{"type", "apiKey"},
          {"in", "cookie"},
          {"name", "freshet"},
          {"description", "Set by /login; mutations need the header X-Freshet as well."}}}}}};
}

}  // namespace

std::string RouteTable::openapi_json(const std::string& title, const std::string& version,
                                     const std::string& schemas) const {
  Json paths = Json::object();
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    std::string path;
    Json parameters = Json::array();
    for (const Segment& segment : patterns_[i]) {
      if (segment.kind == Segment::Kind::literal) {
        path += "/" + segment.text;
        continue;
      }
      path += "/{" + segment.text + "}";
      Json schema = {{"type", "string"}};
      if (segment.kind == Segment::Kind::name) schema["pattern"] = "^[a-z0-9._-]{1,64}$";
      if (segment.kind == Segment::Kind::number) {
        schema = {{"type", "integer"}, {"minimum", 0}, {"maximum", 9007199254740991}};
      }
      parameters.push_back(
          {{"name", segment.text}, {"in", "path"}, {"required", true}, {"schema", schema}});
    }
    std::string method = routes_[i].method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    paths[path.empty() ? "/" : path][method] = operation(routes_[i], parameters);
  }
  const Json document = {{"openapi", "3.1.0"},
                         {"info", {{"title", title}, {"version", version}}},
                         {"paths", std::move(paths)},
                         {"components", components(schemas)}};
  return document.dump();
}

}  // namespace freshet
