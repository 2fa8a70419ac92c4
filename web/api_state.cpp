#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "orchestrator/version.h"
#include "web/api_support.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kStreamTurn{1000};
constexpr int kTurnsPerComment = 15;
constexpr std::chrono::milliseconds kLongestPoll{20'000};
constexpr int kMostWaitingPolls = 32;  // past it a poll is answered at once
constexpr std::uint64_t kLettersGrouped = 1000;

json disk_json(const Service& service) {
  const DiskWatch::State disk = service.disk().state();
  return {{"workspace_bytes", disk.use.total()},
          {"by_kind", disk.use.bytes},
          {"grown_bytes", disk.growth_bytes},
          {"free_bytes", disk.use.free_bytes},
          {"warning", disk.warning.empty() ? json() : json(disk.warning)}};
}

json state_json(const Service& service, const ServedPipeline& pipeline, const Request& request) {
  json state = json::parse(pipeline.view()->state);
  if (const auto failure = pipeline.failure()) {
    state["status"] = "failed";
    state["failure"] = *failure;
  }
  state["disk"] = disk_json(service);
  state["can_operate"] = request.role == Role::operate;
  return state;
}

Response list_pipelines(Service& service, const Request& request) {
  const Page page = page_of(request);
  json items = json::array();
  json next;
  for (std::size_t i = page.after.value_or(0); i < service.pipelines().size(); ++i) {
    if (items.size() == page.limit) {
      next = std::to_string(i);
      break;
    }
    items.push_back(state_json(service, *service.pipelines()[i], request));
  }
  return json_response({{"items", std::move(items)}, {"next", std::move(next)}});
}

Response show_pipeline(Service& service, const Request& request) {
  const json state = state_json(service, pipeline_of(service, request), request);
  Response response = json_response(state);
  const json& champion = state.at("champion");
  const auto version = champion.is_null() ? 0 : champion.at("version").get<std::uint64_t>();
  response.headers.emplace_back("ETag", fmt::format("\"{}\"", version));
  return response;
}

std::unique_ptr<EventLog> open_log(Service& service, const ServedPipeline& pipeline) {
  return EventLog::open_reader(service.workspace().log_path(pipeline.name()));
}

json sources_json(const ServedPipeline& pipeline, const EventLog& log) {
  json sources = json::array();
  const auto failure = pipeline.feed_failure();
  const SourceState state = pipeline.feed_state();
  for (const SourceProgress& input : log.all_progress()) {
    const bool partition = input.name.starts_with("kafka:");
    std::string detail = failure.value_or(state.trouble);
    for (const SourceState::Part& part : state.parts) {
      if (!detail.empty() || part.input != input.name) continue;
      detail = fmt::format("{} behind, next offset {}", part.end - part.next, part.next);
    }
    sources.push_back({{"name", input.name},
                       {"kind", partition              ? "kafka"
                                : input.name == "demo" ? "demo"
                                                       : "file"},
                       {"state", failure                  ? "failed"
                                 : !state.trouble.empty() ? "waiting"
                                                          : "read"},
                       {"read", input.records},
                       {"detail", detail}});
  }
  const std::size_t waiting = pipeline.queued();
  sources.push_back({{"name", "http"},
                     {"kind", "http"},
                     {"state", pipeline.failure() ? "failed" : "open"},
                     {"read", nullptr},
                     {"detail", waiting == 0 ? json() : json(fmt::format("{} waiting", waiting))}});
  return sources;
}

json sinks_json(const ServedPipeline& pipeline) {
  json sinks = json::array();
  const auto state = pipeline.sink_state();
  if (!state) return sinks;
  for (const Outbox::Topic& topic : state->topics) {
    sinks.push_back({{"kind", topic.kind},
                     {"topic", topic.topic},
                     {"delivered", topic.delivered},
                     {"waiting", topic.waiting},
                     {"state", state->trouble.empty() ? "open" : "waiting"},
                     {"detail", state->trouble}});
  }
  return sinks;
}

// A reason without what was found: "field `x`: found \"a\", …" is one kind with its like.
std::string reason_kind(const std::string& reason) {
  std::size_t end = reason.find("found ");
  if (end == std::string::npos) end = reason.find_first_of("0123456789");
  if (end == std::string::npos || end < 3) return reason;
  std::string kind = reason.substr(0, end);
  while (!kind.empty() && (kind.back() == ' ' || kind.back() == ':' || kind.back() == ',')) {
    kind.pop_back();
  }
  return kind;
}

Response show_stream(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json state = json::parse(pipeline.view()->state);
  const auto log = open_log(service, pipeline);
  json j{{"sources", sources_json(pipeline, *log)},
         {"sinks", sinks_json(pipeline)},
         {"disk", disk_json(service)}};
  for (const char* key : {"events", "events_per_second", "lag", "watermark", "open_questions",
                          "labels", "position"}) {
    j[key] = state.at(key);
  }
  std::map<std::string, std::uint64_t> reasons;
  for (const DeadLetter& letter : log->dead_letters(kLettersGrouped))
    ++reasons[reason_kind(letter.reason)];
  j["dead_letters_by_reason"] = json::array();
  for (const auto& [reason, count] : reasons) {
    j["dead_letters_by_reason"].push_back({{"reason", reason}, {"count", count}});
  }
  return json_response(j);
}

// Dead letters and late events are numbered by themselves; `kind` chooses.
Response list_letters(Service& service, const Request& request) {
  const Page page = page_of(request);
  const std::string kind = request.query_value("kind", "dead");
  if (kind != "dead" && kind != "late") {
    throw Error(ErrorKind::invalid, fmt::format("kind={}: expected dead or late", kind));
  }
  const auto log = open_log(service, pipeline_of(service, request));
  const std::uint64_t before = page.after.value_or(EventLog::kNewest);
  const auto letters = kind == "late" ? log->late_events(page.limit + 1, before)
                                      : log->dead_letters(page.limit + 1, before);
  std::vector<json> items;
  items.reserve(letters.size());
  for (const DeadLetter& letter : letters) {
    items.push_back({{"number", letter.number},
                     {"source", letter.source},
                     {"line", letter.line},
                     {"reason", letter.reason},
                     {"raw", letter.raw},
                     {"kind", kind}});
  }
  return paged(items, "number", Order::descending, page);
}

Response list_features(Service& service, const Request& request) {
  return json_response(
      {{"items", json::parse(pipeline_of(service, request).view()->features)}, {"next", nullptr}});
}

Response poll_changes(Service& service, std::uint64_t after) {
  const Changes& changes = service.changes();
  json list = json::array();
  std::uint64_t last = changes.last();
  // What was given before a restart is unknown now: everything may have changed.
  if (after > last) return json_response({{"id", last}, {"changes", std::move(list)}});
  // Each waiting poll holds a worker.
  static std::atomic<int> waiting = 0;
  const bool may_wait = waiting.fetch_add(1) < kMostWaitingPolls;
  const auto news = changes.after(after, may_wait ? kLongestPoll : std::chrono::milliseconds(0));
  --waiting;
  for (const Changes::Change& change : news) {
    list.push_back(json::parse(change.data));
    last = change.id;
  }
  return json_response({{"id", last}, {"changes", std::move(list)}});
}

std::uint64_t parse_event_id(const std::string& text, const char* what) {
  Request as_cursor;
  as_cursor.query.emplace("cursor", text);
  try {
    return page_of(as_cursor).after.value_or(0);
  } catch (const Error&) {
    throw Error(ErrorKind::invalid, fmt::format("{}: {}: expected the id of a change", what, text));
  }
}

Response stream_changes(Service& service, const Request& request) {
  const auto poll = request.query.find("poll");
  if (poll != request.query.end()) {
    return poll_changes(service, parse_event_id(poll->second, "poll"));
  }
  const Changes& changes = service.changes();
  const std::string last_event = request.header("last-event-id");
  const std::uint64_t from =
      last_event.empty() ? changes.last() : parse_event_id(last_event, "Last-Event-ID");
  Response response;
  response.content_type = "text/event-stream";
  response.stream = [&changes, last = std::min(from, changes.last()), turns = 0,
                     still = request.is_still_let_in](const Response::Write& write) mutable {
    if (still && !still()) return false;
    if (turns == 0 && !write("retry: 2000\n\n")) return false;
    const auto news = changes.after(last, kStreamTurn);
    for (const Changes::Change& change : news) {
      last = change.id;
      if (!write(fmt::format("id: {}\nevent: change\ndata: {}\n\n", change.id, change.data))) {
        return false;
      }
    }
    ++turns;
    return turns % kTurnsPerComment != 0 || write(": here\n\n");
  };
  return response;
}

Response who_am_i(const Request& request) {
  return json_response({{"role", request.role == Role::operate ? "operate" : "view"},
                        {"token", request.token_name},
                        {"version", program_version()}});
}

constexpr const char* kId = R"({"type": "integer", "minimum": 0, "maximum": 999999999999})";

std::vector<RouteParameter> letter_parameters() {
  std::vector<RouteParameter> parameters = page_parameters();
  parameters.push_back({.name = "kind",
                        .schema = R"({"enum": ["dead", "late"], "default": "dead"})",
                        .description = "Dead letters, or events that came too late"});
  return parameters;
}

std::vector<RouteParameter> change_parameters() {
  return {{.name = "poll",
           .schema = kId,
           .description = "Answers with JSON as soon as something moved after this id"},
          {.name = "Last-Event-ID",
           .schema = kId,
           .description = "Goes on after this id",
           .in_header = true}};
}

}  // namespace

void add_state_routes(RouteTable& routes, Service& service) {
  add_view(routes, service, "", "All pipelines and how they stand", "PipelineList", list_pipelines,
           page_parameters());
  add_view(routes, service, "/{pipeline}", "How a pipeline stands", "Pipeline", show_pipeline);
  add_view(routes, service, "/{pipeline}/stream", "Rate, lag, watermark, what was refused",
           "Stream", show_stream);
  add_view(routes, service, "/{pipeline}/dead-letters", "Records that were refused, newest first",
           "DeadLetterList", list_letters, letter_parameters());
  add_view(routes, service, "/{pipeline}/features",
           "Features, as the champion's scaler has seen them", "FeatureList", list_features);
  routes.add({.method = "GET",
              .pattern = "/api/v1/changes",
              .role = Role::view,
              .handler = [&service](const Request& r) { return stream_changes(service, r); },
              .summary = "Server-sent events whenever something moved; ?poll=ID to poll",
              .response_schema = "Any",
              .also_takes = change_parameters(),
              .answer_types = {"text/event-stream", "application/json"}});
  routes.add({.method = "GET",
              .pattern = "/api/v1/me",
              .role = Role::view,
              .handler = who_am_i,
              .summary = "Who the token says you are",
              .response_schema = "Me"});
}

}  // namespace freshet
