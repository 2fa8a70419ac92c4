#include "orchestrator/receipts.h"

#include <nlohmann/json.hpp>

#include "orchestrator/config_describe.h"

namespace freshet {

using nlohmann::json;

std::string standing_figures(double learner_loss, double prior_loss, std::uint64_t rows) {
  return json{{"learner_loss", learner_loss}, {"prior_loss", prior_loss}, {"rows", rows}}.dump();
}

std::string brake_figures(double mean_difference, double standard_error) {
  return json{{"mean_difference", mean_difference}, {"standard_error", standard_error}}.dump();
}

std::string evaluation_figures(const EvaluationFigures& figures) {
  json j{{"counted_rows", figures.counted_rows},
         {"blocks", figures.blocks},
         {"block_rows", figures.block_rows},
         {"inflation", figures.inflation},
         {"mean_difference", figures.mean_difference},
         {"champion_loss", figures.champion_loss},
         {"candidate_loss", figures.candidate_loss},
         {"log_evidence", figures.log_evidence},
         {"log_evidence_against", figures.log_evidence_against},
         {"log_threshold", figures.log_threshold},
         {"rows_to_verdict", figures.rows_to_verdict},
         {"test", name_of(kTests, figures.test)}};
  if (figures.interval_low) j["interval_low"] = *figures.interval_low;
  if (figures.interval_high) j["interval_high"] = *figures.interval_high;
  return j.dump();
}

std::string evaluation_series(const std::vector<SeriesPoint>& series) {
  json points = json::array();
  for (const SeriesPoint& point : series) {
    json j{{"rows", point.counted_rows},
           {"time", format_time(point.time)},
           {"mean_difference", point.mean_difference},
           {"log_evidence", point.log_evidence},
           {"log_threshold", point.log_threshold}};
    if (point.interval_low) j["interval_low"] = *point.interval_low;
    if (point.interval_high) j["interval_high"] = *point.interval_high;
    points.push_back(std::move(j));
  }
  return points.dump();
}

std::string evaluation_policy_json(const EvaluationPolicy& policy) {
  return json{{"on", name_of(kLosses, policy.loss)},
              {"test", name_of(kTests, policy.test)},
              {"margin", policy.margin},
              {"alpha", policy.alpha},
              {"clip", policy.clip},
              {"cycle", format_duration(policy.cycle)},
              {"max_rows", policy.max_rows}}
      .dump();
}

std::string recipe_json(const PipelineConfig& config, const Recipe& recipe) {
  PipelineConfig only = config;
  only.learners = {recipe};
  return json::parse(write_config(only)).at("learners").at(0).dump();
}

}  // namespace freshet
