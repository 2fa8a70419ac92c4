#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/service.h"
#include "web/request.h"
#include "web/routes.h"

namespace freshet {

// What the handlers of the API share.

Response json_response(const nlohmann::json& body, int status = 200);

/// Which part of a list is asked for: `?limit=N&cursor=C`.
struct Page {
  std::size_t limit = 100;             ///< 1 to 1000
  std::optional<std::uint64_t> after;  ///< the number of the last item of the page before
};
/// Throws Error{invalid} for a limit or cursor that is none.
Page page_of(const Request& request);

/// {"items": […], "next": cursor or null} of a list whose items have ascending or descending
/// numbers under `key`; those after the cursor.
enum class Order { ascending, descending };
Response paged(const std::vector<nlohmann::json>& items, const char* key, Order order,
               const Page& page);

/// The body as a JSON object with no other keys than these. Throws Error{invalid}.
nlohmann::json body_object(const Request& request, const std::vector<std::string>& keys);
/// A text that must be there: one line of 1 to 1,000 characters; spaces at its ends are cut.
std::string required_text(const nlohmann::json& object, const char* key);
/// A number that must be there.
std::uint64_t required_number(const nlohmann::json& object, const char* key);
bool optional_flag(const nlohmann::json& object, const char* key, bool otherwise);
/// 1 to 18 digits and nothing else; nullopt for any other text.
std::optional<std::uint64_t> plain_number(std::string_view text);

/// The version or hash in If-Match: "7" -> 7. nullopt if there is none; Error{invalid} for
/// anything else than one strong tag.
std::optional<std::string> if_match(const Request& request);

/// What the routes say of their parameters, in openapi.json.
std::vector<RouteParameter> page_parameters();          ///< for page_of
RouteParameter if_match_parameter(const char* schema);  ///< for if_match, where it must be there
inline constexpr const char* kVersionTag = R"({"type": "string", "pattern": "^\"[0-9]{1,18}\"$"})";
inline constexpr const char* kHashTag = R"({"type": "string", "pattern": "^\"[0-9a-f]{64}\"$"})";

/// The pipeline that the path names.
ServedPipeline& pipeline_of(Service& service, const Request& request);
std::uint64_t number_of(const Request& request, const char* parameter);

/// A reader of the workspace for one request.
Workspace read_registry(Service& service);

/// Adds a GET for viewers, at /api/v1/pipelines followed by `pattern`; it answers with the schema
/// named. The service must outlive the table.
void add_view(RouteTable& routes, Service& service, const char* pattern, const char* summary,
              const char* schema, Response (*handler)(Service&, const Request&),
              std::vector<RouteParameter> parameters = {});

// Each adds its routes; the service must outlive the table.
void add_state_routes(RouteTable& routes, Service& service);     // pipelines, stream, changes, me
void add_registry_routes(RouteTable& routes, Service& service);  // versions, evaluations, decisions
void add_command_routes(RouteTable& routes, Service& service);   // promote, rollback, policy, …
void add_event_routes(RouteTable& routes, Service& service);     // events, labels, predict

}  // namespace freshet
