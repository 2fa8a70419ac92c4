#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "orchestrator/config_recorded.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/reproduce.h"
#include "web/api_support.h"
#include "web/problem.h"

namespace freshet {

using nlohmann::json;

namespace {

// The operator's own decision, with all that followed from it.
Response decided(const std::vector<Decision>& decisions) {
  json answer = json::object();
  json all = json::array();
  for (const Decision& decision : decisions) {
    all.push_back(decision_json(decision));
    if (answer.empty() || decision.actor == "operator") answer = all.back();
  }
  answer["decisions"] = std::move(all);
  return json_response(answer);
}

CommandRecord command_record(const std::string& kind, const json& arguments,
                             const std::string& reason) {
  CommandRecord record;
  record.kind = kind;
  record.arguments = arguments.dump();
  record.reason = reason;
  return record;
}

// The champion that whoever decides has seen.
std::optional<std::uint64_t> seen_champion(const Request& request) {
  const auto tag = if_match(request);
  if (!tag) return std::nullopt;
  const auto version = plain_number(*tag);
  if (!version) {
    throw Error(ErrorKind::invalid,
                fmt::format("If-Match: \"{}\": expected the champion's version in quotes", *tag));
  }
  return version;
}

// A command of someone who has seen which champion it is about.
Response command_on_seen(ServedPipeline& pipeline, const Request& request,
                         const CommandRecord& record) {
  const auto seen = seen_champion(request);
  if (!seen) {
    return problem(428,
                   "This needs If-Match with the champion's version, as GET of the pipeline gives "
                   "it in ETag, so that nobody decides on what they have not seen.");
  }
  return decided(pipeline.command(record, seen));
}

Response promote(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"version", "reason"});
  const json arguments{{"version", required_number(body, "version")}};
  return command_on_seen(pipeline, request,
                         command_record("promote", arguments, required_text(body, "reason")));
}

Response roll_back(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"to", "reason"});
  json arguments{{"version", 0}};
  if (body.contains("to") && body.at("to").is_string()) {
    const RevisionName named = parse_revision(required_text(body, "to"));
    arguments["version"] = named.version;
    if (named.row) arguments["row"] = *named.row;
  } else if (body.contains("to") && !body.at("to").is_null()) {
    arguments["version"] = required_number(body, "to");
  }
  return command_on_seen(pipeline, request,
                         command_record("rollback", arguments, required_text(body, "reason")));
}

Response approve(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"version", "reason"});
  const json arguments{{"version", required_number(body, "version")}};
  return decided(pipeline.command(
      command_record("approve", arguments, required_text(body, "reason")), seen_champion(request)));
}

Response steer(Service& service, const Request& request, const char* kind) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"reason"});
  return decided(pipeline.command(
      command_record(kind, json::object(), required_text(body, "reason")), seen_champion(request)));
}

Response erase(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"key", "reason", "dry_run"});
  EraseRequest asked;
  asked.key = required_text(body, "key");
  asked.dry_run = optional_flag(body, "dry_run", false);
  if (!asked.dry_run || body.contains("reason")) asked.reason = required_text(body, "reason");
  return json_response(erased_json(pipeline.erase(asked)));
}

// --- policy

constexpr const char* kPolicyName = "policy";

/// Takes a number and the ": " or ":" after it off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto size = static_cast<std::size_t>(at - text.data());
  if (error != std::errc() || size >= text.size() || text[size] != ':') return std::nullopt;
  text.remove_prefix(size + 1);
  return number;
}

// "policy:LINE:COLUMN: path: message", as parse_config says it.
json problem_json(std::string_view line) {
  std::string_view rest = line;
  const std::string start = std::string(kPolicyName) + ":";
  json problem{{"message", line}, {"line", nullptr}, {"column", nullptr}, {"path", ""}};
  if (!rest.starts_with(start)) return problem;
  rest.remove_prefix(start.size());
  const auto row = take_number(rest);
  const auto column = row ? take_number(rest) : std::nullopt;
  if (!column || !rest.starts_with(" ")) return problem;
  rest.remove_prefix(1);
  const std::size_t colon = rest.find_first_of(": ");
  if (colon != std::string_view::npos && rest.substr(colon).starts_with(": ")) {
    problem["path"] = rest.substr(0, colon);
    rest.remove_prefix(colon + 2);
  }
  problem["message"] = rest;
  problem["line"] = *row;
  problem["column"] = *column;
  return problem;
}

json problems_json(const std::string& text) {
  json problems = json::array();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin)
      problems.push_back(problem_json(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return problems;
}

std::string policy_text(const json& body) {
  const auto text = body.find("text");
  if (text == body.end() || !text->is_string()) {
    throw Error(ErrorKind::invalid, "\"text\": expected the whole config, as a text of JSON");
  }
  return text->get<std::string>();
}

json differences_json(const ServedPipeline& pipeline, const PipelineConfig& config) {
  const PipelineConfig current = parse_recorded_config(pipeline.view()->config, "recorded config");
  json list = json::array();
  for (const ConfigDifference& d : differences(current, config)) {
    list.push_back({{"path", d.path},
                    {"from", d.from},
                    {"to", d.to},
                    {"means", d.means == "policy"        ? "policy"
                              : d.means == "new learner" ? "learner"
                                                         : "workspace"}});
  }
  return list;
}

Response show_policy(Service& service, const Request& request) {
  const auto view = pipeline_of(service, request).view();
  const std::string text = write_config(parse_recorded_config(view->config, "recorded config"), 2);
  Response response = json_response({{"text", text}, {"hash", view->config_hash}});
  response.headers.emplace_back("ETag", "\"" + view->config_hash + "\"");
  return response;
}

Response check_policy(Service& service, const Request& request) {
  const ServedPipeline& pipeline = pipeline_of(service, request);
  const std::string text = policy_text(body_object(request, {"text"}));
  try {
    const PipelineConfig config = parse_config(text, kPolicyName);
    return json_response(
        {{"problems", json::array()}, {"differences", differences_json(pipeline, config)}});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) throw;
    return json_response(
        {{"problems", problems_json(error.what())}, {"differences", json::array()}});
  }
}

Response put_policy(Service& service, const Request& request) {
  ServedPipeline& pipeline = pipeline_of(service, request);
  const json body = body_object(request, {"text", "reason"});
  const std::string text = policy_text(body);
  const std::string reason = required_text(body, "reason");
  const auto seen = if_match(request);
  if (!seen) {
    return problem(428,
                   "This needs If-Match with the policy's ETag, as GET of the policy gives it.");
  }
  std::optional<PipelineConfig> config;
  try {
    config = parse_config(text, kPolicyName);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) throw;
    Response response = problem(422, error.what());
    json answer = json::parse(response.body);
    answer["problems"] = problems_json(error.what());
    response.body = json_response(answer).body;  // the message may quote half a character
    return response;
  }
  if (config->pipeline != pipeline.name()) {
    throw Error(ErrorKind::conflict,
                fmt::format("the text is the config of pipeline {}, this is {}", config->pipeline,
                            pipeline.name()));
  }
  if (*seen != pipeline.view()->config_hash) {
    return problem(412, "The policy was changed meanwhile: look at it as it is now.");
  }
  return decided(pipeline.apply(*config, reason, seen));
}

}  // namespace

void add_command_routes(RouteTable& routes, Service& service) {
  using Handler = std::function<Response(const Request&)>;
  const auto add = [&](const char* method, const char* pattern, Role role, const char* summary,
                       const char* body, const char* answer, Handler handler,
                       std::vector<RouteParameter> parameters = {},
                       std::vector<int> statuses = {}) {
    routes.add({.method = method,
                .pattern = std::string("/api/v1/pipelines/{pipeline}/") + pattern,
                .role = role,
                .handler = std::move(handler),
                .summary = summary,
                .request_schema = body,
                .response_schema = answer,
                .also_takes = std::move(parameters),
                .other_statuses = std::move(statuses)});
  };
  const auto with = [&service](Response (*handler)(Service&, const Request&)) -> Handler {
    return [&service, handler](const Request& request) { return handler(service, request); };
  };
  add("POST", "promote", Role::operate, "Makes a learner or candidate the champion",
      "VersionAndReason", "Decided", with(promote), {if_match_parameter(kVersionTag)}, {409, 428});
  add("POST", "rollback", Role::operate,
      "Goes back to a version that has served; refresh and automatic promotion pause", "Rollback",
      "Decided", with(roll_back), {if_match_parameter(kVersionTag)}, {409, 428});
  add("POST", "approve", Role::operate, "Promotes a candidate that waits for approval",
      "VersionAndReason", "Decided", with(approve), {}, {409});
  for (const auto& [kind, summary] :
       {std::pair{"pause", "Holds refreshes and automatic promotion"},
        std::pair{"resume", "Lets refreshes and automatic promotion go on"},
        std::pair{"train", "Trains the policy's candidates now"}}) {
    add("POST", kind, Role::operate, summary, "Reason", "Decided",
        [&service, kind = kind](const Request& request) { return steer(service, request, kind); },
        {}, {409});
  }
  add("POST", "erase", Role::operate,
      "Erases the events of a person from log and rows; no decisions when there are none, or with "
      "dry_run; warning says what is left to be done",
      "Erase", "Erased", with(erase), {}, {409});
  add("GET", "policy", Role::view, "The config in force", "", "Policy", with(show_policy));
  add("PUT", "policy", Role::operate, "Puts another config in force, as a recorded decision",
      "PolicyAndReason", "Decided", with(put_policy), {if_match_parameter(kHashTag)},
      {409, 412, 422, 428});
  add("POST", "policy/check", Role::view, "What is wrong with a config, and what it would change",
      "PolicyText", "PolicyCheck", with(check_policy));
}

}  // namespace freshet
