#pragma once

#include <vector>

#include "web/asset.h"
#include "web/routes.h"

namespace freshet {

/// The page's files as they were embedded when the program was built (web/ui, and dygraphs).
const std::vector<Asset>& page_assets();

/// Adds `/` and a route for each file. They hold nothing of anybody's: everybody may load them.
void add_page_routes(RouteTable& routes);

}  // namespace freshet
