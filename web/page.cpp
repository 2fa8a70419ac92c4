#include "web/page.h"

#include <string>

namespace freshet {

void add_page_routes(RouteTable& routes) {
  for (const Asset& asset : page_assets()) {
    routes.add(
        {.method = "GET",
         .pattern = asset.path == "/index.html" ? "/" : "/ui" + std::string(asset.path),
         .role = Role::none,
         .handler = [&asset](const Request& request) { return serve_asset(request, asset); },
         .summary = "A file of the page",
         .answer_types = {std::string(asset.content_type.substr(0, asset.content_type.find(';')))},
         .other_statuses = {304}});
  }
}

}  // namespace freshet
