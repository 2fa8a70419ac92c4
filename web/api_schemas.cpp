#include "web/api_schemas.h"

#include <initializer_list>

#include <nlohmann/json.hpp>

namespace freshet {

using nlohmann::json;

namespace {

json object(const json& properties, const std::initializer_list<const char*> required = {}) {
  json schema{{"type", "object"}, {"properties", properties}};
  for (const char* key : required) schema["required"].push_back(key);
  return schema;
}

/// An object of a request: no other keys.
json closed(json schema) {
  schema["additionalProperties"] = false;
  return schema;
}

json list_of(const char* schema) {
  return object(
      {{"items",
        {{"type", "array"}, {"items", {{"$ref", std::string("#/components/schemas/") + schema}}}}},
       {"next", {{"type", {"string", "null"}}}}},
      {"items", "next"});
}

const json kText{{"type", "string"}};
const json kNumber{{"type", "integer"}, {"minimum", 0}, {"maximum", 9007199254740991}};
const json kReason{
    {"type", "string"},
    {"minLength", 1},
    {"maxLength", 1000},
    {"pattern", "^[^\\u0000-\\u001f\\u007f]*[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$"}};
const json kConfig{{"type", "string"}, {"description", "The whole config, as a text of JSON"}};

// An event, {event or events, durable, record}, or an array of events.
json predict_schema() {
  const json event{{"type", "object"}};
  const json events{{"type", "array"}, {"items", event}, {"minItems", 1}, {"maxItems", 10000}};
  const json flag{{"type", "boolean"}};
  const json is_wrapped{{"anyOf", {{{"required", {"event"}}}, {{"required", {"events"}}}}}};
  json bare = event;
  bare["not"] = is_wrapped;
  return {
      {"oneOf",
       {bare, closed(object({{"event", event}, {"durable", flag}, {"record", flag}}, {"event"})),
        closed(object({{"events", events}, {"durable", flag}, {"record", flag}}, {"events"})),
        events}}};
}

}  // namespace

std::string api_schemas() {
  json all;
  all["Any"] = json::object();
  all["Health"] = object({{"status", {{"enum", {"ok", "starting", "failed"}}}}}, {"status"});
  all["Me"] =
      object({{"role", {{"enum", {"view", "operate"}}}}, {"version", kText}}, {"role", "version"});
  all["Reason"] = closed(object({{"reason", kReason}}, {"reason"}));
  all["VersionAndReason"] =
      closed(object({{"version", kNumber}, {"reason", kReason}}, {"version", "reason"}));
  json key = kReason;
  key["description"] = "FIELD=VALUE, or the VALUE of an event's id";
  const json flag{{"type", "boolean"}};
  all["Erase"] = closed(object({{"key", key}, {"reason", kReason}, {"dry_run", flag}}, {"key"}));
  all["Erase"]["anyOf"] = {
      {{"required", {"reason"}}},
      {{"required", {"dry_run"}}, {"properties", {{"dry_run", {{"const", true}}}}}}};
  json to = kNumber;
  to["type"] = {"integer", "string", "null"};
  to["pattern"] = "^[1-9][0-9]{0,17}(@[0-9]{1,18})?$";
  to["description"] = "A version, or its revision at a row as 12@34560; null: the previous one";
  all["Rollback"] = closed(object({{"to", to}, {"reason", kReason}}, {"reason"}));
  all["PolicyText"] = closed(object({{"text", kConfig}}, {"text"}));
  all["PolicyAndReason"] =
      closed(object({{"text", kConfig}, {"reason", kReason}}, {"text", "reason"}));
  all["Predict"] = predict_schema();
  all["Disk"] = object({{"workspace_bytes", kNumber},
                        {"by_kind", {{"type", "object"}, {"additionalProperties", kNumber}}},
                        {"grown_bytes", kNumber},
                        {"free_bytes", kNumber},
                        {"warning", {{"type", {"string", "null"}}}}},
                       {"workspace_bytes", "by_kind", "grown_bytes", "free_bytes", "warning"});
  const json disk{{"$ref", "#/components/schemas/Disk"}};
  all["Pipeline"] =
      object({{"pipeline", kText}, {"status", kText}, {"rows", kNumber}, {"disk", disk}},
             {"pipeline", "status", "rows", "champion", "live", "learners", "disk"});
  all["Version"] = object({{"version", kNumber}, {"kind", kText}, {"recipe", kText}},
                          {"version", "kind", "recipe", "status", "live"});
  all["Evaluation"] = object({{"evaluation", kNumber}, {"status", kText}, {"sentence", kText}},
                             {"evaluation", "candidate", "champion", "status", "figures"});
  all["Decision"] = object({{"sequence", kNumber}, {"kind", kText}, {"reason", kText}},
                           {"sequence", "kind", "actor", "reason", "row", "position"});
  all["DeadLetter"] = object({{"number", kNumber}, {"source", kText}, {"reason", kText}},
                             {"number", "source", "line", "reason", "raw"});
  all["Feature"] = object({{"name", kText}, {"from", kText}}, {"name", "from"});
  all["Series"] = object({{"points", {{"type", "array"}}}}, {"points"});
  const json list = {{"type", "array"}};
  all["Stream"] = object({{"sources", list}, {"sinks", list}, {"disk", disk}},
                         {"sources", "sinks", "events", "disk"});
  all["Policy"] = object({{"text", kText}, {"hash", kText}}, {"text", "hash"});
  all["PolicyCheck"] =
      object({{"problems", {{"type", "array"}}}, {"differences", {{"type", "array"}}}},
             {"problems", "differences"});
  all["Decided"] = object({{"decisions", {{"type", "array"}}}});
  all["Erased"] = object({{"decisions", {{"type", "array"}}},
                          {"figures", {{"type", "object"}}},
                          {"warning", {{"type", {"string", "null"}}}}},
                         {"decisions", "figures", "warning"});
  all["Appended"] = object({{"accepted", kNumber}, {"lines", {{"type", "array"}}}},
                           {"accepted", "duplicates", "late", "dead_letters", "lines"});
  all["Predicted"] = {{"type", "object"}};
  all["PipelineList"] = list_of("Pipeline");
  all["VersionList"] = list_of("Version");
  all["EvaluationList"] = list_of("Evaluation");
  all["DecisionList"] = {
      {"anyOf",
       {list_of("Decision"), object({{"live", {{"type", {"object", "null"}}}}}, {"live"})}}};
  all["DeadLetterList"] = list_of("DeadLetter");
  all["FeatureList"] = list_of("Feature");
  return all.dump();
}

}  // namespace freshet
