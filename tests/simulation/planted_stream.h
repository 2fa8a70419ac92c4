#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "orchestrator/config.h"
#include "tests/simulation/memory_stores.h"

namespace freshet {

/// Slots 0 and 1 are the learners', 2 and 3 the frozen candidates'.
inline constexpr std::size_t kPlantedSlots = 4;
inline constexpr std::size_t kPlantedLearners = 2;
inline constexpr std::size_t kPlantedRows = 20'000;

/// How the models' losses differ. In the first five all have the same expected loss and differ in
/// what they get wrong (STATISTICS, part 4); in the last two one is planted better or worse.
enum class PlantedCell {
  iid,             ///< independent losses
  class_delay,     ///< better on one class, worse on the other; positives are known after one to
                   ///< five days, negatives by default after seven
  cycle,           ///< .03 better and worse in turn, 5,000 rows a cycle, the good phase first
  autocorrelated,  ///< AR(1), phi .98, 23% of the variance
  rare,            ///< .2% positives, opposite effects on the classes
  better,          ///< the challenger is better by .03 once the first champion serves
  worse,           ///< all but the champion are worse by .03
};

struct PlantedCellInfo {
  PlantedCell cell;
  const char* name;  ///< "aa/iid", …
};
std::span<const PlantedCellInfo> planted_cells();

/// The pipeline that judges the cell's streams: real triggers, candidates and evaluations.
PipelineConfig planted_config(PlantedCell cell);

/// Appends one stream to a log: kPlantedRows events whose slots hold the probabilities that give
/// exactly the planted losses, and their labels.
void write_planted_stream(PlantedCell cell, const Schema& schema, std::uint64_t stream,
                          MemoryLog& log);

}  // namespace freshet
