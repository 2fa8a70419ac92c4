#include "orchestrator/registry_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "stream/error.h"
#include "stream/watermark.h"

namespace freshet {

using nlohmann::json;

namespace {

json parsed(const std::string& text) { return json::accept(text) ? json::parse(text) : json(text); }

// "7@1200", or "7".
std::pair<std::uint64_t, std::uint64_t> parsed_revision(const std::string& text) {
  const std::size_t at = text.find('@');
  return {std::stoull(text), at == std::string::npos ? 0 : std::stoull(text.substr(at + 1))};
}

json one_version(const Version& version, const std::vector<AliasRecord>& aliases) {
  json j{{"version", version.number},
         {"kind", version.lineage.kind},
         {"recipe", version.lineage.recipe_name},
         {"status", version.status},
         {"created_row", version.created_row},
         {"created_time", time_json(version.created_time)},
         {"aliases", json::array()},
         {"alias_revisions", json::object()}};
  for (const AliasRecord& alias : aliases) {
    if (alias.version != version.number) continue;
    j["aliases"].push_back(alias.alias);
    const std::string revision = fmt::format("{}@{}", alias.version, alias.row);
    j["alias_revisions"][alias.alias] = revision;
    if (alias.alias == "champion" || !j.contains("revision")) j["revision"] = revision;
  }
  return j;
}

}  // namespace

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

json time_json(Millis time) { return time == Watermark::kNone ? json() : json(format_time(time)); }

json decision_json(const Decision& d) {
  json j{{"sequence", d.sequence},
         {"kind", d.kind},
         {"actor", d.actor},
         {"reason", d.reason},
         {"row", d.row},
         {"position", d.position},
         {"time", time_json(d.time)},
         {"config", d.config_hash},
         {"figures", parsed(d.figures)},
         {"wall_time", d.wall_time}};
  if (d.from_version != 0) j["from"] = fmt::format("{}@{}", d.from_version, d.from_row);
  if (d.to_version != 0) {
    j["to"] = d.to_row == 0 ? fmt::format("{}", d.to_version)
                            : fmt::format("{}@{}", d.to_version, d.to_row);
  }
  if (d.evaluation != 0) j["evaluation"] = d.evaluation;
  return j;
}

Decision decision_of(const json& j) {
  try {
    Decision d;
    d.sequence = j.at("sequence");
    d.kind = j.at("kind");
    d.actor = j.at("actor");
    d.reason = j.at("reason");
    d.row = j.at("row");
    d.position = j.at("position");
    const json& time = j.at("time");
    d.time = time.is_null() ? Watermark::kNone : parse_time(time.get<std::string>()).value();
    d.config_hash = j.at("config");
    const json& figures = j.at("figures");
    d.figures = figures.is_string() ? figures.get<std::string>() : figures.dump();
    d.wall_time = j.at("wall_time");
    if (j.contains("from")) std::tie(d.from_version, d.from_row) = parsed_revision(j.at("from"));
    if (j.contains("to")) std::tie(d.to_version, d.to_row) = parsed_revision(j.at("to"));
    d.evaluation = j.value("evaluation", std::uint64_t{0});
    return d;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::corrupt, fmt::format("not a decision: {}", error.what()));
  }
}

json evaluation_json(const EvaluationRecord& e, bool with_series) {
  json j{{"evaluation", e.number},
         {"candidate", e.candidate},
         {"champion", e.champion},
         {"status", e.status},
         {"reason", e.reason},
         {"sentence", e.sentence},
         {"policy", parsed(e.policy)},
         {"figures", parsed(e.figures)},
         {"start_question", e.start_question},
         {"start_row", e.start_row},
         {"end_row", e.end_row}};
  if (with_series) j["series"] = parsed(e.series);
  return j;
}

json versions_json(Registry& registry, const std::string& pipeline) {
  const auto aliases = registry.aliases(pipeline);
  json versions = json::array();
  for (const Version& version : registry.versions(pipeline)) {
    versions.push_back(one_version(version, aliases));
  }
  return versions;
}

std::string versions_text(const json& versions) {
  std::string text = fmt::format("{:>7}  {:<8} {:<16} {:<12} {:>10}  {}\n", "version", "kind",
                                 "recipe", "status", "since row", "alias");
  for (const json& v : versions) {
    std::string alias;
    for (const auto& [name, revision] : v["alias_revisions"].items()) {
      alias += fmt::format("{}{} {}", alias.empty() ? "" : ", ", name, revision.get<std::string>());
    }
    text +=
        fmt::format("{:>7}  {:<8} {:<16} {:<12} {:>10}  {}\n", v["version"].get<int>(),
                    v["kind"].get<std::string>(), v["recipe"].get<std::string>(),
                    v["status"].get<std::string>(), v["created_row"].get<std::uint64_t>(), alias);
  }
  return text;
}

json version_json(Registry& registry, const std::string& pipeline, std::uint64_t number) {
  const Version version = registry.version(pipeline, number);
  json j = one_version(version, registry.aliases(pipeline));
  const Lineage& l = version.lineage;
  j["lineage"] = {{"kind", l.kind},
                  {"recipe", parsed(l.recipe)},
                  {"feature_identity", l.feature_identity},
                  {"rows", {l.rows_begin, l.rows_end}},
                  {"knowledge_position", l.knowledge_position},
                  {"parent", l.parent},
                  {"parent_row", l.parent_row},
                  {"epochs", l.epochs},
                  {"seed", l.seed},
                  {"build", l.build},
                  {"profile", l.profile}};
  if (version.promoted_row != 0) j["promoted_row"] = version.promoted_row;
  if (version.stopped_row != 0) j["stopped_row"] = version.stopped_row;
  j["revisions"] = json::array();
  for (const Revision& revision : registry.revisions(pipeline, number)) {
    j["revisions"].push_back({{"revision", fmt::format("{}@{}", revision.version, revision.row)},
                              {"sha256", revision.artifact},
                              {"anchor", revision.learner_state}});
  }
  j["evaluations"] = json::array();
  for (const EvaluationRecord& evaluation : registry.evaluations(pipeline)) {
    if (evaluation.candidate == number || evaluation.champion == number) {
      j["evaluations"].push_back(evaluation_json(evaluation, false));
    }
  }
  return j;
}

namespace {

/// What a version is compared by: how it was made, under which config, how it did.
json compared_by(Registry& registry, const std::string& pipeline, std::uint64_t number) {
  const json all = version_json(registry, pipeline, number);
  json j{{"lineage", all["lineage"]}, {"status", all["status"]}};
  for (const char* key : {"recipe", "created_row", "promoted_row", "stopped_row", "revision"}) {
    if (all.contains(key)) j[key] = all[key];
  }
  for (const Decision& decision : registry.decisions(pipeline)) {
    if (decision.to_version != number && decision.from_version != number) continue;
    j["config_hash"] = decision.config_hash;
    break;
  }
  for (const json& evaluation : all["evaluations"]) {
    if (evaluation["candidate"] != number) continue;
    j["last_evaluation"] = {{"against", evaluation["champion"]},
                            {"status", evaluation["status"]},
                            {"figures", evaluation["figures"]}};
  }
  return j;
}

}  // namespace

json version_differences(Registry& registry, const std::string& pipeline, std::uint64_t from,
                         std::uint64_t to) {
  const json before = compared_by(registry, pipeline, from).flatten();
  const json after = compared_by(registry, pipeline, to).flatten();
  json paths = before;
  paths.update(after);
  json found = json::array();
  for (const auto& [pointer, value] : paths.items()) {
    const json a = before.value(pointer, json());
    const json b = after.value(pointer, json());
    if (a == b) continue;
    std::string path = pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    found.push_back({{"path", path}, {"from", a}, {"to", b}});
  }
  return found;
}

std::string version_text_for_people(const json& v) {
  std::string text = fmt::format("version {}: {} of recipe {}, {}\n", v["version"].get<int>(),
                                 v["kind"].get<std::string>(), v["recipe"].get<std::string>(),
                                 v["status"].get<std::string>());
  text += "lineage " + v["lineage"].dump(2) + "\n";
  text += fmt::format("{} stored revisions{}\n", v["revisions"].size(),
                      v["revisions"].empty() ? "" : "; any other is learned again");
  for (const json& revision : v["revisions"]) {
    text += fmt::format("  {:<16} {:<12}  {}\n", revision["revision"].get<std::string>(),
                        revision["sha256"].get<std::string>().substr(0, 12),
                        revision["anchor"].get<std::string>().empty() ? "" : "anchor");
  }
  for (const json& evaluation : v["evaluations"]) {
    text += fmt::format("evaluation {}: version {} against champion {}: {} {}\n",
                        evaluation["evaluation"].get<int>(), evaluation["candidate"].get<int>(),
                        evaluation["champion"].get<int>(), evaluation["status"].get<std::string>(),
                        evaluation["sentence"].get<std::string>());
  }
  return text;
}

}  // namespace freshet
