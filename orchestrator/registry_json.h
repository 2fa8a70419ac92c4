#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "registry/registry.h"
#include "stream/event_time.h"

namespace freshet {

// Registry records as JSON, with the words of the design, and as text for people.

/// RFC 3339; null for a time that is not known (Watermark::kNone).
nlohmann::json time_json(Millis time);
nlohmann::json decision_json(const Decision& decision);
/// JSON as text, whatever bytes its texts hold: what is no UTF-8 is replaced.
std::string json_text(const nlohmann::json& value, int indent = -1);
/// The decision that `decision_json` gave, but for how `figures` is written. Throws Error{corrupt}
/// for JSON that is none.
Decision decision_of(const nlohmann::json& decision);
nlohmann::json evaluation_json(const EvaluationRecord& evaluation, bool with_series);

/// All versions, with the aliases that point at them.
nlohmann::json versions_json(Registry& registry, const std::string& pipeline);
std::string versions_text(const nlohmann::json& versions);

/// One version with its lineage, revisions and evaluations.
nlohmann::json version_json(Registry& registry, const std::string& pipeline, std::uint64_t version);
/// In what two versions differ: [{"path", "from", "to"}], null where one has nothing. Recipes
/// and figures are compared key by key.
nlohmann::json version_differences(Registry& registry, const std::string& pipeline,
                                   std::uint64_t from, std::uint64_t to);
std::string version_text_for_people(const nlohmann::json& version);

}  // namespace freshet
