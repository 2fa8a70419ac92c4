#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "orchestrator/config_describe_policy.h"
#include "orchestrator/config_writer.h"

namespace freshet {
namespace {

using nlohmann::json;

/// The visitor that makes the JSON Schema of what is described, into `node`. The values referred
/// to are the defaults.
class SchemaWriter {
 public:
  explicit SchemaWriter(json& node) : node_(node) {}

  template <class S>
  void key(std::string_view name, const S& shape, std::string_view doc) {
    json fallback;
    ConfigWriter(fallback).value(shape);
    // An object's defaults stand with its keys.
    if (!fallback.is_object() && !fallback.is_null()) {
      property(name)["default"] = std::move(fallback);
    }
    derived(name, shape, doc);
  }
  template <class S>
  void derived(std::string_view name, const S& shape, std::string_view doc) {
    json& node = property(name);
    node["description"] = doc;
    SchemaWriter(node).value(shape);
  }
  template <class S>
  void required(std::string_view name, const S& shape, std::string_view doc) {
    node_["required"].push_back(name);
    derived(name, shape, doc);
  }
  void unsupported(std::string_view /*name*/) {}
  void refuse(std::string_view /*name*/, const std::string& /*message*/) {}

  void exactly_one(std::initializer_list<std::initializer_list<std::string_view>> sets) {
    for (const auto& set : sets) {
      json names = json::array();
      for (const std::string_view name : set) {
        if (!name.starts_with('?')) names.push_back(name);
      }
      node_["oneOf"].push_back({{"required", std::move(names)}});
    }
  }

  void value(const Text& /*shape*/) { node_["type"] = "string"; }
  void value(const ScalarText& /*shape*/) { node_["type"] = {"string", "number", "boolean"}; }
  void value(const Flag& /*shape*/) { node_["type"] = "boolean"; }
  void value(const TimePoint& /*shape*/) {
    node_["type"] = "string";
    node_["examples"] = {"1996-05-07T00:00:00Z"};
  }
  void value(const Duration& /*shape*/) {
    node_["type"] = "string";
    node_["pattern"] = "^[0-9]+(ms|s|m|h|d|w)$";
  }
  void value(const UtcOffset& /*shape*/) {
    node_["type"] = "string";
    node_["pattern"] = "^(Z|[+-][0-9]{2}:[0-9]{2})$";
  }

  void value(const Number& shape) {
    node_["type"] = "number";
    if (std::isfinite(shape.low)) {
      node_[shape.low_open ? "exclusiveMinimum" : "minimum"] = shape.low;
    }
    if (std::isfinite(shape.high)) {
      node_[shape.high_open ? "exclusiveMaximum" : "maximum"] = shape.high;
    }
  }

  template <class T>
  void value(const Count<T>& shape) {
    node_["type"] = "integer";
    node_["minimum"] = shape.least;
    if (shape.most != kMaxCount) node_["maximum"] = shape.most;
  }

  template <class E>
  void value(const Choice<E>& shape) {
    for (const Named<E>& named : shape.names) node_["enum"].push_back(named.name);
  }

  template <class F>
  void value(const Object<F>& shape) {
    node_["type"] = "object";
    node_["additionalProperties"] = false;
    shape.fill(*this);
  }

  template <class T, class F>
  void value(const List<T, F>& shape) {
    T item{};
    node_["type"] = "array";
    if (shape.least > 0) node_["minItems"] = shape.least;
    node_["maxItems"] = shape.most;
    SchemaWriter(node_["items"]).value(shape.element(item));
  }

  template <class T, class F>
  void value(const AllOr<T, F>& shape) {
    json list;
    SchemaWriter(list).value(List{shape.items, shape.element, 1});
    node_["oneOf"] = {{{"const", "all"}}, std::move(list)};
  }

  template <class T, class F>
  void value(const ByName<T, F>& shape) {
    T item{};
    node_["type"] = "object";
    SchemaWriter(node_["additionalProperties"]).value(shape.element(item));
  }

  template <class T, class F>
  void value(const Maybe<T, F>& shape) {
    T item{};
    if (!shape.write_null) return value(shape.shape(item));
    node_["default"] = nullptr;
    json some;
    SchemaWriter(some).value(shape.shape(item));
    node_["oneOf"] = {std::move(some), {{"type", "null"}}};
  }

  template <class Short, class Long>
  void value(const ShortOr<Short, Long>& shape) {
    json short_form;
    json long_form;
    SchemaWriter(short_form).value(shape.short_form);
    SchemaWriter(long_form).value(shape.long_form);
    node_["oneOf"] = {std::move(short_form), std::move(long_form)};
  }

 private:
  json& property(std::string_view name) { return node_["properties"][std::string(name)]; }

  json& node_;
};

}  // namespace

std::string config_schema() {
  PipelineConfig defaults;
  json node;
  SchemaWriter writer(node);
  writer.value(Object{[&](auto& v) { describe(v, defaults); }});
  node["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  node["title"] = "A Freshet pipeline's config";
  return node.dump(2);
}

}  // namespace freshet
