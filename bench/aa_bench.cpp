#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/measure.h"
#include "bench/memory_stores.h"
#include "bench/planted_stream.h"
#include "bench/simulated_learning.h"
#include "orchestrator/pipeline.h"

namespace freshet {

namespace {

/// A whole pipeline over one planted stream; true if anything was promoted.
bool promotes(PlantedCell cell, const PipelineConfig& config, std::uint64_t stream) {
  MemoryLog log;
  write_planted_stream(cell, config.schema, stream, log);
  const FeatureSet features(config.schema, config.features);
  const auto store = RowStore::open(":memory:", {{features.identity(), features.width()}});
  SimulatedLearning learning(kPlantedSlots, kPlantedLearners);
  MemoryJournal journal;
  Pipeline pipeline(config, log, *store, learning, journal);
  pipeline.begin();
  while (pipeline.advance(log.head(), 64)) {
  }
  if (pipeline.champion() == nullptr) {
    throw Error(ErrorKind::invalid, "a planted stream ended without a first champion");
  }
  return pipeline.counts().promotions > 0;
}

std::uint64_t count_promoting(PlantedCell cell, std::uint64_t streams) {
  const PipelineConfig config = planted_config(cell);
  std::atomic<std::uint64_t> next = 0;
  std::atomic<std::uint64_t> promoting = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (;;) {
        const std::uint64_t stream = next.fetch_add(1);
        if (stream >= streams) return;
        if (promotes(cell, config, stream)) ++promoting;
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      next = streams;
    }
  };
  {
    const std::jthread first(work);
    const std::jthread second(work);
  }
  if (error) std::rethrow_exception(error);
  return promoting;
}

BenchResult run_cell(const PlantedCellInfo& info, const BenchOptions& options) {
  const auto streams = static_cast<double>(options.streams);
  const auto count = static_cast<double>(count_promoting(info.cell, options.streams));
  if (info.cell == PlantedCell::better) {
    return {info.name, count / streams,       "share",
            0.9,       count / streams / 0.9, "share promoted, at least"};
  }
  if (info.cell == PlantedCell::worse) {
    return {info.name, count, "streams", 0, 0, "streams with a promotion: none may"};
  }
  const double limit = 130.0 * streams / 2000;
  return {info.name, count,         "streams",
          limit,     count / limit, "streams with a false promotion, at most"};
}

}  // namespace

std::vector<Bench> aa_benches() {
  std::vector<Bench> benches;
  for (const PlantedCellInfo& info : planted_cells()) {
    benches.push_back({info.name,
                       [info](const BenchOptions& options) -> std::vector<BenchResult> {
                         return {run_cell(info, options)};
                       },
                       true});
  }
  return benches;
}

}  // namespace freshet
