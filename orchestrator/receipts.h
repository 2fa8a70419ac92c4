#pragma once

#include <cstdint>
#include <string>

#include "evaluator/evaluation.h"
#include "evaluator/metrics.h"
#include "orchestrator/config.h"

namespace freshet {

// The figures of receipts and evaluation records, as canonical JSON (sorted keys, one line).

std::string standing_figures(double learner_loss, double prior_loss, std::uint64_t rows);
std::string brake_figures(double mean_difference, double standard_error);
std::string evaluation_figures(const EvaluationFigures& figures);
std::string evaluation_series(const std::vector<SeriesPoint>& series);
std::string evaluation_policy_json(const EvaluationPolicy& policy);

/// A recipe as its lineage records it.
std::string recipe_json(const PipelineConfig& config, const Recipe& recipe);

}  // namespace freshet
