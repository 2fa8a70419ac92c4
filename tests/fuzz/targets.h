#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// One place where bytes from outside come in. `take` reads them, whatever they are: they are
/// taken, and are the same once written and taken again, or refused as this place refuses. Anything
/// else is a defect: std::logic_error, another exception, or what a sanitizer finds.
struct FuzzTarget {
  const char* name;
  void (*take)(std::string_view bytes);
  std::vector<std::string> seeds;  ///< bytes that are taken, to begin with
};

const std::vector<FuzzTarget>& fuzz_targets();

}  // namespace freshet
