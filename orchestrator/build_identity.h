#pragma once

#include <string>

namespace freshet {

/// Program and library versions that training's bits depend on, as lineage records them.
std::string build_identity();

}  // namespace freshet
