#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "orchestrator/open_pipeline.h"

namespace freshet {

/// What `freshet run --json` prints (docs: the command's `--help` lists the keys).
nlohmann::json run_summary(OpenPipeline& open, Workspace& workspace, double seconds,
                           std::uint64_t rows_before);

/// Metrics by name; `wanted` empty: all.
nlohmann::json metrics_json(const Metrics& metrics, const std::vector<std::string>& wanted);
/// The baselines' metrics by their names.
nlohmann::json baselines_json(const OpenPipeline& open);
/// The learners that take part, with their progressive metrics.
nlohmann::json learners_json(const OpenPipeline& open);

/// The same for people.
std::string summary_text(const nlohmann::json& summary);

/// Each part of a pipeline's fingerprint by name: log, rows, learners, live, evaluation_state,
/// versions, evaluations, decisions, and "fingerprint" over all of them. No wall clock is in it.
nlohmann::json fingerprint(Registry& registry, const std::string& pipeline, const EventLog& log,
                           RowStore& store);

/// A decision as one line for people.
std::string decision_line(const Decision& decision);

}  // namespace freshet
