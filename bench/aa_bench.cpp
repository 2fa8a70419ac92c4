#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/measure.h"
#include "tests/simulation/planted_run.h"

namespace freshet {

namespace {

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
        if (run_planted_stream(cell, config, stream).promotions > 0) ++promoting;
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
