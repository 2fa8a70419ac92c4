#pragma once

#include <string>

namespace freshet {

/// The schemas that the API's routes name, as a JSON object for components/schemas.
std::string api_schemas();

}  // namespace freshet
