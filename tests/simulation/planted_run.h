#pragma once

#include <cstdint>

#include "tests/simulation/planted_stream.h"

namespace freshet {

/// What became of one planted stream.
struct PlantedOutcome {
  std::uint64_t verdicts = 0;
  std::uint64_t rejections = 0;
  std::uint64_t promotions = 0;  ///< the first champion not counted
};

/// A whole pipeline over one planted stream, in memory, with simulated learning: real triggers,
/// candidates, evaluations and alias moves. The same stream gives the same outcome. Thread-safe.
/// Throws Error{invalid} if the stream ended without a first champion.
PlantedOutcome run_planted_stream(PlantedCell cell, const PipelineConfig& config,
                                  std::uint64_t stream);

}  // namespace freshet
