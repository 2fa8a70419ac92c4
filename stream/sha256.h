#pragma once

#include <string>
#include <string_view>

namespace freshet {

/// sha256 as 64 lower-case hex digits. Throws std::bad_alloc only.
std::string sha256_hex(std::string_view bytes);

/// sha256 over pieces given one after another: the hash of their concatenation.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  /// The hash of all that was added; starts anew.
  std::string hex();

 private:
  void* context_;
};

}  // namespace freshet
