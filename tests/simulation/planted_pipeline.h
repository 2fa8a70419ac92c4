#pragma once

#include <memory>
#include <optional>

#include "orchestrator/pipeline.h"
#include "tests/simulation/memory_stores.h"
#include "tests/simulation/simulated_learning.h"

namespace freshet {

/// A whole pipeline in memory with simulated learning, begun, over a log that outlives it (as
/// `write_planted_stream` fills it). Members are used directly; `pipeline` may be ended by itself.
/// Used by one thread.
struct PlantedPipeline {
  PlantedPipeline(const PipelineConfig& config, const EventLog& log);

  const std::unique_ptr<RowStore> store;
  SimulatedLearning learning;
  MemoryJournal journal;
  std::optional<Pipeline> pipeline;
};

}  // namespace freshet
