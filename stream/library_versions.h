#pragma once

#include <string>
#include <vector>

namespace freshet {

struct LibraryVersion {
  std::string name;
  std::string version;
};

/// The libraries that only stream/ sees, as they are loaded.
std::vector<LibraryVersion> stream_library_versions();

}  // namespace freshet
