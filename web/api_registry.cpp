#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "orchestrator/registry_json.h"
#include "registry/decision_kinds.h"
#include "stream/event_time.h"
#include "web/api_support.h"

namespace freshet {

using nlohmann::json;

namespace {

// The spans in which a version was live, oldest first.
json live_spans(const std::vector<Decision>& decisions, std::uint64_t version) {
  json spans = json::array();
  bool open = false;
  for (const Decision& decision : decisions) {
    if (!changes_champion(decision.kind)) continue;
    if (open) {
      spans.back()["to"] = time_json(decision.time);
      spans.back()["to_row"] = decision.row;
    }
    open = decision.to_version == version;
    if (open) {
      spans.push_back({{"from", time_json(decision.time)},
                       {"to", nullptr},
                       {"from_row", decision.row},
                       {"to_row", nullptr}});
    }
  }
  return spans;
}

// What the registry, written at checkpoints, does not have yet.
void add_state(const json& state, json& version) {
  version["metrics"] = nullptr;
  version["learned_rows"] = nullptr;
  for (const json& learner : state.at("learners")) {
    if (learner.at("version") != version.at("version")) continue;
    version["metrics"] = learner.at("metrics");
    version["learned_rows"] = learner.at("rows");
  }
  const json& champion = state.at("champion");
  if (!champion.is_null() && champion.at("version") == version.at("version")) {
    version["revision"] = champion.at("revision");
  }
}

Response list_versions(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  const auto decisions = workspace.registry().decisions(pipeline.name());
  const json state = json::parse(pipeline.view()->state);
  std::vector<json> items;
  for (json version : versions_json(workspace.registry(), pipeline.name())) {
    version["live"] = live_spans(decisions, version.at("version"));
    add_state(state, version);
    items.push_back(std::move(version));
  }
  return paged(items, "version", Order::ascending, page_of(request));
}

Response show_version(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  const std::uint64_t number = number_of(request, "version");
  json version = version_json(workspace.registry(), pipeline.name(), number);
  version["live"] = live_spans(workspace.registry().decisions(pipeline.name()), number);
  add_state(json::parse(pipeline.view()->state), version);
  return json_response(version);
}

// Those under way are newer in the view than in the registry.
std::vector<EvaluationRecord> evaluations(const Workspace& workspace,
                                          const ServedPipeline& pipeline) {
  std::vector<EvaluationRecord> all = workspace.registry().evaluations(pipeline.name());
  const std::shared_ptr<const PipelineView> view = pipeline.view();  // the loop reads it
  for (const EvaluationRecord& running : view->running) {
    const auto known = std::find_if(all.begin(), all.end(), [&](const EvaluationRecord& other) {
      return other.number == running.number;
    });
    if (known == all.end()) {
      all.push_back(running);
    } else if (known->status == "running") {
      *known = running;
    }
  }
  std::sort(all.begin(), all.end(), [](const EvaluationRecord& a, const EvaluationRecord& b) {
    return a.number > b.number;
  });
  return all;
}

json named_evaluation(const Workspace& workspace, const ServedPipeline& pipeline,
                      const EvaluationRecord& record) {
  json evaluation = evaluation_json(record, false);
  evaluation["candidate_recipe"] = nullptr;
  evaluation["candidate_kind"] = nullptr;
  try {
    const Version version = workspace.registry().version(pipeline.name(), record.candidate);
    evaluation["candidate_recipe"] = version.lineage.recipe_name;
    evaluation["candidate_kind"] = version.lineage.kind;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // its record comes with the next checkpoint
  }
  return evaluation;
}

Response list_evaluations(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  std::vector<json> items;
  for (const EvaluationRecord& record : evaluations(workspace, pipeline)) {
    items.push_back(named_evaluation(workspace, pipeline, record));
  }
  return paged(items, "evaluation", Order::descending, page_of(request));
}

EvaluationRecord find_evaluation(const Workspace& workspace, const ServedPipeline& pipeline,
                                 std::uint64_t number) {
  for (EvaluationRecord& record : evaluations(workspace, pipeline)) {
    if (record.number == number) return std::move(record);
  }
  throw Error(ErrorKind::not_found,
              fmt::format("pipeline {} has no evaluation {}", pipeline.name(), number));
}

Response show_evaluation(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  const auto record = find_evaluation(workspace, pipeline, number_of(request, "evaluation"));
  return json_response(named_evaluation(workspace, pipeline, record));
}

Response show_series(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  const auto record = find_evaluation(workspace, pipeline, number_of(request, "evaluation"));
  return json_response({{"points", evaluation_json(record, true).at("series")}});
}

std::optional<Millis> asked_time(const Request& request, const char* key) {
  if (!request.query.contains(key)) return std::nullopt;
  const std::string text = request.query_value(key);
  const auto time = parse_time(text);
  if (!time) {
    throw Error(ErrorKind::invalid,
                fmt::format("{}={}: expected a time, as 2018-04-01T12:00:00Z", key, text));
  }
  return time;
}

// What was live: by event time, or by the clock that stood on the wall.
json live_json(const Registry& registry, const std::string& pipeline, Millis time, bool wall) {
  std::optional<Decision> live;
  if (wall) {
    for (const Decision& decision : registry.decisions(pipeline)) {
      const auto made = parse_time(decision.wall_time);
      if (changes_champion(decision.kind) && made && *made <= time) live = decision;
    }
  } else {
    live = registry.live_at(pipeline, time);
  }
  if (!live) return {{"live", nullptr}};
  return {{"live",
           {{"version", live->to_version},
            {"revision", fmt::format("{}@{}", live->to_version, live->to_row)},
            {"decision", decision_json(*live)}}}};
}

std::uint64_t asked_since(const Request& request) {
  const std::string text = request.query_value("since", "0");
  const auto sequence = plain_number(text);
  if (!sequence) {
    throw Error(ErrorKind::invalid,
                fmt::format("since={}: expected a decision's sequence number", text));
  }
  return *sequence;
}

std::string asked_kind(const Request& request) {
  std::string text = request.query_value("kind");
  const bool is_kind = !text.empty() && text.size() <= 40 &&
                       text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
  if (request.query.contains("kind") && !is_kind) {
    throw Error(ErrorKind::invalid,
                fmt::format("kind={}: expected a kind of decision, as promoted", text));
  }
  return text;
}

Response list_decisions(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const Workspace workspace = read_registry(service);
  const auto at = asked_time(request, "at");
  const auto wall = asked_time(request, "wall");
  if (at && wall) throw Error(ErrorKind::invalid, "at= and wall= are two clocks: give one");
  if (at || wall) {
    return json_response(
        live_json(workspace.registry(), pipeline.name(), at ? *at : *wall, wall.has_value()));
  }
  const std::uint64_t since = asked_since(request);
  const std::string kind = asked_kind(request);
  std::vector<json> items;
  auto decisions = workspace.registry().decisions(pipeline.name());
  for (auto decision = decisions.rbegin(); decision != decisions.rend(); ++decision) {
    if (decision->sequence <= since || (!kind.empty() && decision->kind != kind)) continue;
    items.push_back(decision_json(*decision));
  }
  return paged(items, "sequence", Order::descending, page_of(request));
}

std::vector<RouteParameter> decision_parameters() {
  std::vector<RouteParameter> parameters = page_parameters();
  parameters.push_back(
      {.name = "since",
       .schema = R"({"type": "integer", "minimum": 0, "maximum": 999999999999999999})",
       .description = "Only those after this sequence number"});
  parameters.push_back({.name = "kind",
                        .schema = R"({"type": "string", "pattern": "^[a-z_]{1,40}$"})",
                        .description = "Only those of this kind"});
  for (const auto& [name, about] :
       {std::pair{"at", "What was live at this event time"},
        std::pair{"wall", "What was live when the clock showed this; not beside at"}}) {
    parameters.push_back({.name = name,
                          .schema = R"({"type": "string", "format": "date-time"})",
                          .description = about});
  }
  return parameters;
}

}  // namespace

void add_registry_routes(RouteTable& routes, Service& service) {
  add_view(routes, service, "/{pipeline}/versions",
           "Versions, oldest first, and when each was live", "VersionList", list_versions,
           page_parameters());
  add_view(routes, service, "/{pipeline}/versions/{version:number}",
           "A version: lineage, revisions, evaluations", "Version", show_version);
  add_view(routes, service, "/{pipeline}/evaluations", "Evaluations, newest first",
           "EvaluationList", list_evaluations, page_parameters());
  add_view(routes, service, "/{pipeline}/evaluations/{evaluation:number}", "An evaluation",
           "Evaluation", show_evaluation);
  add_view(routes, service, "/{pipeline}/evaluations/{evaluation:number}/series",
           "An evaluation's course, for a chart", "Series", show_series);
  add_view(routes, service, "/{pipeline}/decisions",
           "Decisions, newest first; with at= or wall=: what was live then, and why",
           "DecisionList", list_decisions, decision_parameters());
}

}  // namespace freshet
