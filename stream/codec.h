#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "stream/error.h"

namespace freshet {

/// Appends plain values to a byte string, little-endian, without padding: the form of every
/// record and checkpoint. `Decoder` reads them back in the same order.
class Encoder {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> Encoder& put(T value) {
    const auto* bytes = reinterpret_cast<const char*>(&value);
    bytes_.append(bytes, sizeof value);
    return *this;
  }

  Encoder& put(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    bytes_.append(text);
    return *this;
  }

  template <class T>
  requires std::is_arithmetic_v<T> Encoder& put(const std::vector<T>& values) {
    put(static_cast<std::uint64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what an `Encoder` wrote. Throws `Error{corrupt}` when the bytes end too early.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// A view into the bytes given to the constructor.
  std::string_view text() { return take(get<std::uint64_t>()); }

  template <class T>
  requires std::is_arithmetic_v<T> std::vector<T> vector() {
    const auto count = get<std::uint64_t>();
    if (count > bytes_.size() / sizeof(T)) throw ended();
    const std::string_view view = take(count * sizeof(T));
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), view.data(), view.size());
    return values;
  }

  bool at_end() const { return bytes_.empty(); }

 private:
  static Error ended() {
    return {ErrorKind::corrupt, "saved state ends too early: the bytes were cut or damaged"};
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) throw ended();
    const std::string_view view = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return view;
  }

  std::string_view bytes_;
};

}  // namespace freshet
