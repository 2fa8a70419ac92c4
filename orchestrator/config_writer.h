#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "orchestrator/config_shapes.h"

namespace freshet {

/// The visitor that writes a config as JSON, into `node`. Used by one thread.
class ConfigWriter {
 public:
  explicit ConfigWriter(nlohmann::json& node) : node_(node) {}

  template <class S>
  void key(std::string_view name, const S& shape, std::string_view /*doc*/) {
    if (absent(shape)) return;
    ConfigWriter(node_[std::string(name)]).value(shape);
  }
  template <class S>
  void derived(std::string_view name, const S& shape, std::string_view doc) {
    key(name, shape, doc);
  }
  template <class S>
  void required(std::string_view name, const S& shape, std::string_view doc) {
    key(name, shape, doc);
  }
  void unsupported(std::string_view /*name*/) {}
  void exactly_one(std::initializer_list<std::initializer_list<std::string_view>> /*sets*/) {}
  void refuse(std::string_view /*name*/, const std::string& /*message*/) {}

  void value(const Text& shape) { node_ = shape.value; }
  void value(const ScalarText& shape);
  void value(const Flag& shape) { node_ = shape.value; }
  void value(const Number& shape) { node_ = shape.value; }
  void value(const Duration& shape) { node_ = format_duration(shape.value); }
  void value(const TimePoint& shape) { node_ = format_time(shape.value); }
  void value(const UtcOffset& shape);

  template <class T>
  void value(const Count<T>& shape) {
    node_ = shape.value;
  }

  template <class E>
  void value(const Choice<E>& shape) {
    node_ = name_of(shape.names, shape.value);
  }

  template <class F>
  void value(const Object<F>& shape) {
    node_ = nlohmann::json::object();
    shape.fill(*this);
  }

  template <class T, class F>
  void value(const List<T, F>& shape) {
    node_ = nlohmann::json::array();
    for (T& item : shape.items) {
      nlohmann::json element;
      ConfigWriter(element).value(shape.element(item));
      node_.push_back(std::move(element));
    }
  }

  template <class T, class F>
  void value(const AllOr<T, F>& shape) {
    if (shape.items.empty()) {
      node_ = "all";
    } else {
      value(List{shape.items, shape.element});
    }
  }

  template <class T, class F>
  void value(const ByName<T, F>& shape) {
    node_ = nlohmann::json::object();
    for (T& item : shape.items) {
      ConfigWriter(node_[item.name]).value(shape.element(item));
    }
  }

  template <class T, class F>
  void value(const Maybe<T, F>& shape) {
    if (shape.value) {
      value(shape.shape(*shape.value));
    } else {
      node_ = nullptr;
    }
  }

  template <class Short, class Long>
  void value(const ShortOr<Short, Long>& shape) {
    if (shape.is_short) {
      value(shape.short_form);
    } else {
      value(shape.long_form);
    }
  }

 private:
  template <class S>
  static bool absent(const S& /*shape*/) {
    return false;
  }
  template <class T, class F>
  static bool absent(const Maybe<T, F>& shape) {
    return !shape.value && !shape.write_null;
  }

  nlohmann::json& node_;
};

}  // namespace freshet
