#pragma once

#include <string>

namespace freshet {

/// examples/demo.json, as it was built in.
std::string demo_config();

}  // namespace freshet
