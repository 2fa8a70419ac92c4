#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "web/api_support.h"
#include "web/json_limits.h"
#include "web/problem.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBatchBytes = std::size_t{16} << 20;
constexpr std::size_t kMostLines = 10'000;  // each is answered
constexpr std::size_t kMostPredictions = 10'000;
constexpr std::string_view kFull = "Too much is waiting to be made durable: come again.";

const std::vector<std::string> kLineTypes = {"application/x-ndjson", "application/jsonl",
                                             "application/json", "text/plain"};

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::duplicate:
      return "duplicate";
    case Outcome::late:
      return "late";
    case Outcome::dead_letter:
      return "dead_letter";
  }
  return "";
}

json result_json(const LineResult& result) {
  json j{{"line", result.line}, {"outcome", name_of(result.outcome)}};
  if (!result.reason.empty()) j["reason"] = result.reason;
  return j;
}

Response append(Service& service, const Request& request, bool labels_only) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  if (labels_only && pipeline.schema().label.known != LabelKnown::later) {
    throw Error(ErrorKind::conflict,
                "this pipeline's labels come in the events' own lines (stream.label.known)");
  }
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(ErrorKind::invalid, "the body is empty: expected JSON lines, one object each");
  }
  const auto lines_sent = std::count(request.body.begin(), request.body.end(), '\n');
  if (static_cast<std::size_t>(lines_sent) > kMostLines) {
    return problem(
        413, fmt::format("The body has {} lines; {} are taken at once.", lines_sent, kMostLines));
  }
  const auto results = pipeline.append(request.body, labels_only);
  if (!results) return problem_try_again(429, 1, kFull);
  std::uint64_t counts[4] = {};
  json lines = json::array();
  for (const LineResult& result : *results) {
    ++counts[static_cast<std::size_t>(result.outcome)];
    lines.push_back(result_json(result));
  }
  return json_response({{"accepted", counts[0]},
                        {"duplicates", counts[1]},
                        {"late", counts[2]},
                        {"dead_letters", counts[3]},
                        {"lines", std::move(lines)}});
}

struct Asked {
  std::vector<std::string> events;
  bool batch = false;
  ServedPipeline::PredictOptions options;
};

void add_event(const json& event, Asked& asked) {
  if (!event.is_object()) {
    throw Error(ErrorKind::invalid,
                fmt::format("event {}: expected a JSON object", asked.events.size() + 1));
  }
  asked.events.push_back(event.dump());
}

// {"event": {...}} or {"events": [...]}, with "durable" and "record" beside it: or only the event.
Asked read_question(const Request& request) {
  const json body = parse_json(request.body);
  Asked asked;
  const json* list = body.is_array() ? &body : nullptr;
  if (body.is_object() && (body.contains("event") || body.contains("events"))) {
    for (const auto& [key, value] : body.items()) {
      if (key != "event" && key != "events" && key != "durable" && key != "record") {
        throw Error(ErrorKind::invalid,
                    fmt::format("the key \"{}\" is not known here; expected event or events, "
                                "durable, record",
                                key));
      }
    }
    if (body.contains("event") && body.contains("events")) {
      throw Error(ErrorKind::invalid, "give \"event\" or \"events\", not both");
    }
    asked.options.durable = optional_flag(body, "durable", false);
    asked.options.record = optional_flag(body, "record", true);
    if (body.contains("events")) {
      list = &body.at("events");
      if (!list->is_array()) throw Error(ErrorKind::invalid, "\"events\": expected an array");
    } else {
      add_event(body.at("event"), asked);
    }
  } else if (list == nullptr) {
    add_event(body, asked);
  }
  if (list != nullptr) {
    asked.batch = true;
    if (list->empty() || list->size() > kMostPredictions) {
      throw Error(ErrorKind::invalid,
                  fmt::format("found {} events, expected 1 to {}", list->size(), kMostPredictions));
    }
    for (const json& event : *list) add_event(event, asked);
  }
  return asked;
}

json prediction_json(const ServedPipeline::Prediction& prediction, const Schema& schema) {
  json j = answer_json(prediction.answer, schema);
  if (prediction.recorded) j["recorded"] = result_json(*prediction.recorded);
  return j;
}

Response predict(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const Asked asked = read_question(request);
  const auto predictions = pipeline.predict(asked.events, asked.options);
  if (!predictions) return problem_try_again(429, 1, kFull);
  if (!asked.batch) return json_response(prediction_json(predictions->front(), pipeline.schema()));
  json all = json::array();
  for (const auto& prediction : *predictions) {
    all.push_back(prediction_json(prediction, pipeline.schema()));
  }
  return json_response({{"predictions", std::move(all)}});
}

}  // namespace

void add_event_routes(RouteTable& routes, Service& service) {
  const auto add = [&](const char* pattern, const char* summary, const char* body,
                       const char* answer, bool lines, auto handler) {
    routes.add({.method = "POST",
                .pattern = std::string("/api/v1/pipelines/{pipeline}/") + pattern,
                .role = Role::operate,
                .handler = handler,
                .summary = summary,
                .request_schema = body,
                .response_schema = answer,
                .other_statuses = {409, 429},
                .content_types = lines ? kLineTypes : std::vector<std::string>(),
                .body_limit_bytes = lines ? std::optional(kMostBatchBytes) : std::nullopt});
  };
  add("events", "Appends events (JSON lines); answers once they are durable", "", "Appended", true,
      [&service](const Request& r) { return append(service, r, false); });
  add("labels", "Appends labels (JSON lines of id, label, time)", "", "Appended", kMostBatchBytes,
      [&service](const Request& r) { return append(service, r, true); });
  add("predict", "The champion's answer to an event, or to a batch of them", "Predict", "Predicted",
      false, [&service](const Request& r) { return predict(service, r); });
}

}  // namespace freshet
