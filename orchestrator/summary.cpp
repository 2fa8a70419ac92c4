#include "orchestrator/summary.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "stream/sha256.h"

namespace freshet {

using nlohmann::json;

namespace {

std::uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

json revision_json(const ServedRevision* revision, const Pipeline& pipeline) {
  if (revision == nullptr) return nullptr;
  return {
      {"version", revision->version},
      {"revision", fmt::format("{}@{}", revision->version, revision->row)},
      {"sha256", revision->artifact},
      {"rows", {pipeline.version(revision->version).lineage.rows_begin, revision->snapshot.row}}};
}

}  // namespace

json metrics_json(const Metrics& metrics, const std::vector<std::string>& wanted) {
  json values = json::object();
  for (const Metric& metric : metrics.values()) {
    const bool keep =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), metric.name) != wanted.end();
    if (keep) values[metric.name] = metric.value;
  }
  return values;
}

json baselines_json(const OpenPipeline& open) {
  const auto& wanted = open.pipeline.config().evaluate.metrics;
  const Baselines& baselines = open.pipeline.scoreboard().baselines();
  const bool regression = open.pipeline.config().schema.task == Task::regression;
  return {{regression ? "mean" : "majority", metrics_json(baselines.prior(), wanted)},
          {"no_change", metrics_json(baselines.no_change(), wanted)}};
}

json learners_json(const OpenPipeline& open) {
  json learners = json::array();
  const auto& scored = open.pipeline.scoreboard().learners();
  for (const ActiveLearner& learner : open.pipeline.learners()) {
    const auto found = scored.find(learner.version);
    if (found == scored.end()) continue;
    learners.push_back(
        {{"name", open.pipeline.recipe_name(learner.recipe)},
         {"version", learner.version},
         {"rows", found->second.rows()},
         {"metrics", metrics_json(found->second, open.pipeline.config().evaluate.metrics)}});
  }
  return learners;
}

json run_summary(OpenPipeline& open, Workspace& workspace, double seconds,
                 std::uint64_t rows_before) {
  const Pipeline& pipeline = open.pipeline;
  const IngestCounts ingest = open.log->counts();
  const PipelineCounts& counts = pipeline.counts();
  const Scoreboard& board = pipeline.scoreboard();
  const auto& wanted = open.pipeline.config().evaluate.metrics;
  const LabelCounts& labels = pipeline.labels();
  const std::uint64_t rows = pipeline.rows() - rows_before;
  return {{"pipeline", open.pipeline.config().pipeline},
          {"events",
           {{"accepted", ingest.accepted},
            {"duplicates", ingest.duplicates},
            {"late", ingest.late},
            {"dead_letters", ingest.dead_letters}}},
          {"labels",
           {{"known", labels.known},
            {"defaults", labels.defaults},
            {"given_up", labels.given_up},
            {"conflicts", labels.conflicts},
            {"unknown_ids", labels.unknown_ids},
            {"open", pipeline.open_questions()}}},
          {"rows", pipeline.rows()},
          {"seconds", seconds},
          {"rows_per_second", seconds > 0 ? static_cast<double>(rows) / seconds : 0.0},
          {"peak_memory_bytes", peak_memory_bytes()},
          {"live",
           {{"rows", board.live().rows()},
            {"metrics", metrics_json(board.live(), wanted)},
            {"baselines", baselines_json(open)}}},
          {"learners", learners_json(open)},
          {"champion", revision_json(pipeline.champion(), pipeline)},
          {"refreshes", counts.refreshes},
          {"held_back", counts.held_back},
          {"candidates", counts.candidates},
          {"promotions", counts.promotions},
          {"rejections", counts.rejections},
          {"inconclusive", counts.inconclusive},
          {"superseded", counts.superseded},
          {"rollbacks", counts.rollbacks},
          {"fingerprint", fingerprint(workspace.registry(), open.pipeline.config().pipeline,
                                      *open.log, *open.store)["fingerprint"]}};
}

std::string summary_text(const json& s) {
  const auto late = s["events"]["late"].get<std::uint64_t>();
  const auto dead = s["events"]["dead_letters"].get<std::uint64_t>();
  std::string text = fmt::format(
      "\npipeline {}: {} events ({} duplicates, {} late, {} dead letters), {} rows in {:.1f} s\n",
      s["pipeline"].get<std::string>(), s["events"]["accepted"].get<std::uint64_t>(),
      s["events"]["duplicates"].get<std::uint64_t>(), late, dead, s["rows"].get<std::uint64_t>(),
      s["seconds"].get<double>());
  if (dead > 0) text += "freshet events dead-letters says which records were refused, and why\n";
  if (late > 0) {
    text +=
        "freshet events dead-letters --late shows the late ones; where events come out of order, "
        "set stream.out_of_orderness\n";
  }
  const auto line = [&](const std::string& name, const json& metrics) {
    text += fmt::format("  {:<24}", name);
    for (const auto& [metric, value] : metrics.items()) {
      text += fmt::format(" {} {:.4f}", metric, value.get<double>());
    }
    text += '\n';
  };
  if (s["champion"].is_null()) {
    const json& labels = s["labels"];
    text += fmt::format(
        "no champion yet: no learner beat the running prior over the warm-up rows; so far {} rows, "
        "{} events that wait for their label, {} whose label never came\n",
        s["rows"].get<std::uint64_t>(), labels["open"].get<std::uint64_t>(),
        labels["given_up"].get<std::uint64_t>());
  } else {
    text += fmt::format("champion {} after {} refreshes ({} ticks held back)\n",
                        s["champion"]["revision"].get<std::string>(),
                        s["refreshes"].get<std::uint64_t>(), s["held_back"].get<std::uint64_t>());
    line("live", s["live"]["metrics"]);
    for (const auto& [name, metrics] : s["live"]["baselines"].items()) line(name, metrics);
  }
  for (const json& learner : s["learners"]) {
    line("learner " + learner["name"].get<std::string>(), learner["metrics"]);
  }
  text += fmt::format("candidates {}: {} promoted, {} rejected, {} inconclusive, {} superseded\n",
                      s["candidates"].get<std::uint64_t>(), s["promotions"].get<std::uint64_t>(),
                      s["rejections"].get<std::uint64_t>(), s["inconclusive"].get<std::uint64_t>(),
                      s["superseded"].get<std::uint64_t>());
  return text;
}

namespace {

std::string versions_hash(Registry& registry, const std::string& pipeline) {
  Sha256 hash;
  for (const Version& v : registry.versions(pipeline)) {
    hash.add(fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", v.number, v.lineage.kind,
                         v.lineage.recipe, v.lineage.feature_identity, v.lineage.rows_begin,
                         v.lineage.rows_end, v.lineage.knowledge_position, v.lineage.parent,
                         v.lineage.seed, v.status, v.created_row, v.created_time));
  }
  return hash.hex();
}

std::string evaluations_hash(Registry& registry, const std::string& pipeline) {
  Sha256 hash;
  for (const EvaluationRecord& e : registry.evaluations(pipeline)) {
    hash.add(fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", e.number, e.candidate, e.champion,
                         e.status, e.reason, e.sentence, e.policy, e.figures, e.start_question,
                         e.start_row));
  }
  return hash.hex();
}

std::string decisions_hash(Registry& registry, const std::string& pipeline) {
  Sha256 hash;
  for (const Decision& d : registry.decisions(pipeline)) {
    hash.add(fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", d.sequence, d.kind, d.actor,
                         d.reason, d.figures, d.row, d.position, d.time, d.config_hash,
                         d.from_version, d.from_row, d.to_version, d.to_row, d.evaluation));
  }
  return hash.hex();
}

}  // namespace

json fingerprint(Registry& registry, const std::string& pipeline, const EventLog& log,
                 RowStore& store) {
  json parts = json::object();
  if (const auto checkpoint = registry.checkpoint(pipeline)) {
    parts = json::parse(checkpoint->fingerprint);
  }
  parts["log"] = log.content_hash();
  parts["rows"] = store.content_hash();
  parts["versions"] = versions_hash(registry, pipeline);
  parts["evaluations"] = evaluations_hash(registry, pipeline);
  parts["decisions"] = decisions_hash(registry, pipeline);
  const std::string whole = sha256_hex(parts.dump());
  parts["fingerprint"] = whole;
  return parts;
}

std::string decision_line(const Decision& decision) {
  std::string line =
      fmt::format("{}  row {:>8}  {:<18}",
                  decision.time == Watermark::kNone ? std::string("-") : format_time(decision.time),
                  decision.row, decision.kind);
  if (decision.to_version != 0) line += fmt::format(" version {}", decision.to_version);
  if (decision.to_row != 0) line += fmt::format("@{}", decision.to_row);
  return line + "  " + decision.reason;
}

}  // namespace freshet
