#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/config_problems.h"
#include "orchestrator/config_shapes.h"

namespace freshet {

/// The visitor that reads a config: fills the values that the description refers to, and reports
/// what has the wrong shape, is out of range, missing or unknown. Stands at one value of the file;
/// what is wrong is left at its default. Used by one thread.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& node, ConfigPlace place, ConfigProblems& problems)
      : node_(node), place_(std::move(place)), problems_(problems) {}

  template <class S>
  void key(std::string_view name, const S& shape, std::string_view /*doc*/) {
    known_.emplace_back(name);
    const auto found = node_.find(std::string(name));
    if (found != node_.end()) ConfigReader(*found, place_.key(name), problems_).value(shape);
  }
  template <class S>
  void derived(std::string_view name, const S& shape, std::string_view doc) {
    key(name, shape, doc);
  }
  template <class S>
  void required(std::string_view name, const S& shape, std::string_view doc) {
    if (!node_.contains(std::string(name))) missing(name, doc);
    key(name, shape, doc);
  }
  void unsupported(std::string_view name);
  void exactly_one(std::initializer_list<std::initializer_list<std::string_view>> sets);
  /// The value of `name` is wrong in the light of others.
  void refuse(std::string_view name, const std::string& message) {
    problems_.consequence(place_.key(name), message);
  }

  void value(const Text& shape);
  void value(const ScalarText& shape);
  void value(const Flag& shape);
  void value(const Number& shape);
  void value(const Duration& shape);
  void value(const TimePoint& shape);
  void value(const UtcOffset& shape);

  template <class T>
  void value(const Count<T>& shape) {
    std::uint64_t count = shape.value;
    if (whole(shape.least, shape.most, count)) shape.value = static_cast<T>(count);
  }

  template <class E>
  void value(const Choice<E>& shape) {
    std::vector<std::string> names;
    for (const Named<E>& named : shape.names) names.emplace_back(named.name);
    const std::size_t chosen = word(names, {shape.unsupported.begin(), shape.unsupported.end()});
    if (chosen < shape.names.size()) shape.value = shape.names[chosen].value;
  }

  template <class F>
  void value(const Object<F>& shape) {
    if (!node_.is_object()) return wrong("an object");
    shape.fill(*this);
    refuse_unknown_keys();
  }

  template <class T, class F>
  void value(const List<T, F>& shape) {
    if (!node_.is_array()) return wrong("a list");
    if (node_.size() < shape.least || node_.size() > shape.most) {
      return wrong_length(shape.least, shape.most);
    }
    shape.items.assign(node_.size(), T{});
    for (std::size_t i = 0; i < node_.size(); ++i) {
      ConfigReader(node_[i], place_.item(i), problems_).value(shape.element(shape.items[i]));
    }
  }

  template <class T, class F>
  void value(const AllOr<T, F>& shape) {
    if (node_.is_array()) return value(List{shape.items, shape.element, 1});
    if (node_ != "all") return wrong("\"all\" or a list");
    shape.items.clear();
  }

  template <class T, class F>
  void value(const ByName<T, F>& shape) {
    if (!node_.is_object()) return wrong("an object");
    shape.items.clear();
    for (const auto& [name, node] : node_.items()) {
      T item;
      item.name = name;
      ConfigReader(node, place_.key(name), problems_).value(shape.element(item));
      shape.items.push_back(std::move(item));
    }
  }

  template <class T, class F>
  void value(const Maybe<T, F>& shape) {
    shape.value.reset();
    if (node_.is_null()) return;
    T item{};
    value(shape.shape(item));
    shape.value = std::move(item);
  }

  template <class Short, class Long>
  void value(const ShortOr<Short, Long>& shape) {
    if (node_.is_object()) return value(shape.long_form);
    if (!node_.is_string()) return wrong("a text or an object");
    value(shape.short_form);
  }

 private:
  /// What stands here, to be shown.
  std::string found() const;
  void wrong(const std::string& expected);
  void wrong_length(std::size_t least, std::size_t most);
  void missing(std::string_view name, std::string_view doc);
  bool whole(std::uint64_t least, std::uint64_t most, std::uint64_t& count);
  /// Index of the word that stands here; names.size() if none does.
  std::size_t word(const std::vector<std::string>& names,
                   const std::vector<std::string_view>& unsupported);
  void refuse_unknown_keys();

  const nlohmann::json& node_;
  ConfigPlace place_;
  ConfigProblems& problems_;
  std::vector<std::string> known_;
};

}  // namespace freshet
