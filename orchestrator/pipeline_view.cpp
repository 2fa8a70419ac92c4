#include "orchestrator/pipeline_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/config_describe.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/summary.h"
#include "registry/decision_kinds.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::size_t kSparkPoints = 60;

std::string revision_name(const ServedRevision& revision) {
  return fmt::format("{}@{}", revision.version, revision.row);
}

json champion_json(const OpenPipeline& open, const std::optional<Decision>& since) {
  const ServedRevision* champion = open.pipeline.champion();
  if (champion == nullptr) return nullptr;
  const Lineage& lineage = open.pipeline.version(champion->version).lineage;
  json j{{"version", champion->version},  {"revision", revision_name(*champion)},
         {"recipe", lineage.recipe_name}, {"kind", lineage.kind},
         {"since_row", nullptr},          {"since_time", nullptr},
         {"since_reason", nullptr}};
  if (since) {
    j["since_row"] = since->row;
    j["since_time"] = time_json(since->time);
    j["since_reason"] = since->reason;
  }
  return j;
}

// Mean judged loss of the answers as served, per stretch of the newest rows, oldest first.
json sparkline(const Scoreboard& board) {
  const std::size_t rows = board.recorded_size();
  const std::size_t points = std::min(kSparkPoints, rows / 16);
  json line = json::array();
  for (std::size_t point = 0; point < points; ++point) {
    const std::size_t begin = rows * point / points;
    const std::size_t end = rows * (point + 1) / points;
    double sum = 0;
    std::size_t served = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const double loss = board.recorded_pair(i).champion;
      if (std::isnan(loss)) continue;
      sum += loss;
      ++served;
    }
    if (served > 0) line.push_back(sum / static_cast<double>(served));
  }
  return line;
}

// What the champion answers from, or the pipeline's features before there is one.
const std::vector<FeatureSpec>& champion_features(const Pipeline& pipeline) {
  const ServedRevision* champion = pipeline.champion();
  return champion == nullptr ? pipeline.config().features : pipeline.features(*champion);
}

// What the champion's scaler has seen of each scaled slot, beside the definition.
json features_json(const OpenPipeline& open, const FeatureSet& features) {
  const ServedRevision* champion = open.pipeline.champion();
  const ScalerState* scaler = champion == nullptr ? nullptr : &champion->snapshot.state->scaler;
  const double seen = static_cast<double>(champion == nullptr ? 0 : champion->snapshot.row);
  json list = json::array();
  for (const FeatureSpec& spec : features.specs()) {
    json j{{"name", spec.name},
           {"from", spec.from},
           {"encode", name_of(kEncodings, spec.encoding)},
           {"scale", spec.scale ? json("standard") : json()},
           {"mean", nullptr},
           {"deviation", nullptr},
           {"missing_share", nullptr}};
    const FeatureLayout& layout = features.layout();
    for (std::size_t slot = 0; scaler != nullptr && slot < layout.size(); ++slot) {
      if (layout[slot].name != spec.name || !layout[slot].scaled || slot >= scaler->count.size()) {
        continue;
      }
      const double count = scaler->count[slot];
      if (count < 1) continue;
      j["mean"] = scaler->mean[slot];
      j["deviation"] = std::sqrt(scaler->m2[slot] / count);
      if (seen > 0) j["missing_share"] = std::max(0.0, 1 - count / seen);
    }
    list.push_back(std::move(j));
  }
  return list;
}

const char* status_of(const Pipeline& pipeline) {
  if (pipeline.champion() == nullptr) return "warming_up";
  return pipeline.paused() ? "paused" : "running";
}

void fill_plain(const OpenPipeline& open, const EventLog& log, PipelineView& view) {
  const Pipeline& pipeline = open.pipeline;
  view.running = pipeline.running_evaluations();
  view.champion = pipeline.champion() == nullptr ? 0 : pipeline.champion()->version;
  view.rows = pipeline.rows();
  view.settled_rows = pipeline.scoreboard().settled_rows();
  view.position = pipeline.position();
  view.head = open.log->head();
  view.watermark = pipeline.watermark();
  view.ingest = log.counts();
  view.labels = pipeline.labels();
  view.counts = pipeline.counts();
  view.open_questions = pipeline.open_questions();
  view.live_loss = pipeline.scoreboard().live().mean_loss();
  view.prior_loss = pipeline.scoreboard().baselines().prior().mean_loss();
  view.no_change_loss = pipeline.scoreboard().baselines().no_change().mean_loss();
}

void add_counts(const PipelineView& view, json& j) {
  j["events"] = {{"accepted", view.ingest.accepted},
                 {"duplicates", view.ingest.duplicates},
                 {"late", view.ingest.late},
                 {"dead_letters", view.ingest.dead_letters}};
  j["labels"] = {{"known", view.labels.known},
                 {"defaulted", view.labels.defaults},
                 {"given_up", view.labels.given_up},
                 {"conflicts", view.labels.conflicts},
                 {"unknown", view.labels.unknown_ids}};
  j["candidates"] = view.counts.candidates;
  j["promotions"] = view.counts.promotions;
  j["rejections"] = view.counts.rejections;
  j["inconclusive"] = view.counts.inconclusive;
  j["superseded"] = view.counts.superseded;
  j["refreshes"] = view.counts.refreshes;
  j["held_back"] = view.counts.held_back;
  j["rollbacks"] = view.counts.rollbacks;
}

}  // namespace

struct PipelineViewer::Figures {
  Figures() noexcept(false) {}  // making JSON takes memory
  json live;
  json learners;
  json sparkline;
};

struct PipelineViewer::InForce {
  std::string hash;
  std::string text;
  std::uint64_t champion = 0;
  FeatureSet features;  ///< what it answers from
};

PipelineViewer::PipelineViewer(const std::vector<Decision>& decisions)
    : figures_(std::make_unique<Figures>()) {
  for (const Decision& decision : decisions) note(decision);
}

PipelineViewer::~PipelineViewer() = default;

void PipelineViewer::note(const Decision& decision) {
  last_ = decision;
  if (changes_champion(decision.kind)) last_served_ = decision;
  last_evaluation_ = std::max(last_evaluation_, decision.evaluation);
  const bool promotes = decision.kind == "promoted" || decision.kind == "approval_requested";
  if (promotes && decision.evaluation != 0 && decision.actor == "policy") ++promote_verdicts_;
  figures_due_ = {};
}

// A view is made several times a second, the config changes now and then.
const PipelineViewer::InForce& PipelineViewer::in_force(const Pipeline& pipeline) {
  const PipelineConfig& config = pipeline.config();
  const std::uint64_t champion = pipeline.champion() == nullptr ? 0 : pipeline.champion()->version;
  if (!in_force_ || in_force_->hash != pipeline.config_hash() || in_force_->champion != champion) {
    in_force_ =
        std::make_unique<const InForce>(InForce{pipeline.config_hash(),
                                                write_config(config),
                                                champion,
                                                {config.schema, champion_features(pipeline)}});
  }
  return *in_force_;
}

void PipelineViewer::measure_rate(std::uint64_t head) {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - rate_since_).count();
  if (rate_begun_ && seconds < 1) return;
  if (rate_begun_) {
    const double rate = static_cast<double>(head - std::min(head, rate_head_)) / seconds;
    // What the eye can follow: half of it is the last second's.
    events_per_second_ = rate == 0 ? 0 : 0.5 * events_per_second_ + 0.5 * rate;
  }
  rate_begun_ = true;
  rate_since_ = now;
  rate_head_ = head;
}

void PipelineViewer::compute_figures(const OpenPipeline& open) {
  const auto begin = Clock::now();
  if (begin < figures_due_) return;
  const Scoreboard& board = open.pipeline.scoreboard();
  figures_->live = {
      {"rows", board.live().rows()},
      {"metrics", metrics_json(board.live(), open.pipeline.config().evaluate.metrics)},
      {"baselines", baselines_json(open)}};
  figures_->learners = learners_json(open);
  figures_->sparkline = sparkline(board);
  figures_due_ = Clock::now() + std::max<Clock::duration>(std::chrono::milliseconds(200),
                                                          50 * (Clock::now() - begin));
}

PipelineView PipelineViewer::look(const OpenPipeline& open, const EventLog& log) {
  const Pipeline& pipeline = open.pipeline;
  PipelineView view;
  const InForce& config = in_force(pipeline);
  view.config = config.text;
  view.config_hash = config.hash;
  fill_plain(open, log, view);
  measure_rate(view.head);
  compute_figures(open);
  for (const EvaluationRecord& running : view.running) {
    last_evaluation_ = std::max(last_evaluation_, running.number);
  }
  view.last_decision = last_ ? last_->sequence : 0;
  view.last_evaluation = last_evaluation_;
  view.promote_verdicts = promote_verdicts_;
  view.features = json_text(features_json(open, config.features));
  const ServedRevision* previous = pipeline.previous();
  json j{{"pipeline", open.pipeline.config().pipeline},
         {"task", name_of(kTasks, open.pipeline.config().schema.task)},
         {"on", name_of(kLosses, open.pipeline.config().promote.on)},
         {"status", status_of(pipeline)},
         {"holding", pipeline.holding()},
         {"failure", nullptr},
         {"missing_rows", pipeline.missing_rows()},
         {"champion", champion_json(open, last_served_)},
         {"previous", nullptr},
         {"live", figures_->live},
         {"sparkline", figures_->sparkline},
         {"learners", figures_->learners},
         {"rows", view.rows},
         {"settled_rows", view.settled_rows},
         {"open_questions", view.open_questions},
         {"position", view.position},
         {"lag", view.head - std::min(view.head, view.position)},
         {"watermark", time_json(view.watermark)},
         {"events_per_second", events_per_second_},
         {"evaluations", json::array()},
         {"last_decision", last_ ? decision_json(*last_) : json()}};
  if (previous != nullptr) {
    j["previous"] = {{"version", previous->version}, {"revision", revision_name(*previous)}};
  }
  for (const EvaluationRecord& running : view.running) {
    json evaluation = evaluation_json(running, false);
    const Lineage& lineage = pipeline.version(running.candidate).lineage;
    evaluation["candidate_recipe"] = lineage.recipe_name;
    evaluation["candidate_kind"] = lineage.kind;
    j["evaluations"].push_back(std::move(evaluation));
  }
  add_counts(view, j);
  view.state = json_text(j);
  return view;
}

}  // namespace freshet
