#pragma once

#include "orchestrator/config.h"
#include "orchestrator/config_problems.h"

namespace freshet {

/// Fills in the defaults that follow from other keys, where the file leaves them out.
void fill_defaults(PipelineConfig& config, const ConfigProblems& file);

/// Checks what no single key can tell: which keys need each other, contradict each other, or name
/// something that is not there. Every default is filled in.
void check_config(const PipelineConfig& config, ConfigProblems& problems);

/// Parts of it: task, fields, times and labels; features.
void check_source(const PipelineConfig& config, ConfigProblems& problems);
void check_sink(const PipelineConfig& config, ConfigProblems& problems);
void check_stream(const PipelineConfig& config, ConfigProblems& problems);
void check_features(const PipelineConfig& config, ConfigProblems& problems);

/// The settings of librdkafka, of source and sink: only where somebody gives the config, not where
/// a recorded one is read again, as the next librdkafka may refuse what this one takes.
void check_kafka_settings(const PipelineConfig& config, ConfigProblems& problems);

/// " (nearest: `x`)" where a known name is near, else "".
std::string nearest_hint(const std::string& name, const std::vector<std::string>& known);

}  // namespace freshet
