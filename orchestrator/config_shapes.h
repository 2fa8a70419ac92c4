#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event_time.h"

/// The shapes that a config's values have. `config_describe.h` says once which key has which
/// shape; what visits that description reads a config, writes it, or makes its JSON Schema.
///
/// A visitor V has
///   v.key(name, shape, doc)       may be absent: the value it refers to is the default
///   v.derived(name, shape, doc)   may be absent: the default follows from other keys, `doc` says
///   how v.required(name, shape, doc) v.unsupported(name)           a key of the config language
///   that this build refuses v.exactly_one(sets of names)  of which all of one stand, and none of
///   another
namespace freshet {

inline constexpr std::uint64_t kMaxCount = (std::uint64_t{1} << 53) - 1;  ///< exact in any JSON

struct Text {
  std::string& value;
};

/// Any scalar, kept as it would stand in an input. Written as a number where it is one, unless
/// `always_text`.
struct ScalarText {
  std::string& value;
  bool always_text = false;
};

struct Flag {
  bool& value;
};

/// A whole number.
template <class T>
struct Count {
  T& value;
  std::uint64_t least = 0;
  std::uint64_t most = kMaxCount;
};

struct Number {
  double& value;
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;
};

/// A text like "90s" or "7d".
struct Duration {
  Millis& value;
  Millis least = 0;
};

/// A text: RFC 3339.
struct TimePoint {
  Millis& value;
};

/// A text: "+02:00", "-06:00" or "Z".
struct UtcOffset {
  Millis& value;
};

template <class E>
struct Named {
  E value;
  std::string_view name;
};

/// The name that a table of `Named` gives a value; empty for a value that it does not have.
template <class Table, class E>
constexpr std::string_view name_of(const Table& table, E value) {
  for (const Named<E>& named : table) {
    if (named.value == value) return named.name;
  }
  return {};
}

/// One of several words. `unsupported` are words of the config language that this build refuses.
template <class E>
struct Choice {
  E& value;
  std::span<const Named<E>> names;
  std::span<const std::string_view> unsupported = {};
};

/// `fill(v)` describes the object's keys to a visitor.
template <class F>
struct Object {
  F fill;
};
template <class F>
Object(F) -> Object<F>;

/// `element(item)` gives an item's shape.
template <class T, class F>
struct List {
  std::vector<T>& items;
  F element;
  std::size_t least = 0;
  std::size_t most = 10'000;
};
template <class T, class F>
List(std::vector<T>&, F) -> List<T, F>;
template <class T, class F>
List(std::vector<T>&, F, std::size_t) -> List<T, F>;
template <class T, class F>
List(std::vector<T>&, F, std::size_t, std::size_t) -> List<T, F>;

/// "all", which is no item, or a list of some.
template <class T, class F>
struct AllOr {
  std::vector<T>& items;
  F element;
};
template <class T, class F>
AllOr(std::vector<T>&, F) -> AllOr<T, F>;

/// An object whose keys are names; an item's name is in its member `name`.
template <class T, class F>
struct ByName {
  std::vector<T>& items;
  F element;
};
template <class T, class F>
ByName(std::vector<T>&, F) -> ByName<T, F>;

/// Absent (or null) where it has no value. `write_null`: stands as null then.
template <class T, class F>
struct Maybe {
  std::optional<T>& value;
  F shape;
  bool write_null = false;
};
template <class T, class F>
Maybe(std::optional<T>&, F) -> Maybe<T, F>;
template <class T, class F>
Maybe(std::optional<T>&, F, bool) -> Maybe<T, F>;

/// A text as a short form of an object. `is_short`: the value as it is can be written so.
template <class Short, class Long>
struct ShortOr {
  bool is_short = false;
  Short short_form;
  Long long_form;
};
template <class Short, class Long>
ShortOr(bool, Short, Long) -> ShortOr<Short, Long>;

}  // namespace freshet
