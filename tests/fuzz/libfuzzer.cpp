// The entry of libFuzzer: FRESHET_FUZZ names the target.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/targets.h"

namespace {

const freshet::FuzzTarget& chosen() {
  const char* name = std::getenv("FRESHET_FUZZ");
  for (const freshet::FuzzTarget& target : freshet::fuzz_targets()) {
    if (name != nullptr && std::string_view(name) == target.name) return target;
  }
  std::fputs("FRESHET_FUZZ names none of the targets:", stderr);
  for (const freshet::FuzzTarget& target : freshet::fuzz_targets()) {
    std::fprintf(stderr, " %s", target.name);
  }
  std::fputs("\n", stderr);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const freshet::FuzzTarget& target = chosen();
  target.take({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
