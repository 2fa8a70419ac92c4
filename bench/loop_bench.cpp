#include <fmt/format.h>

#include "bench/bare_torch.h"
#include "bench/measure.h"
#include "bench/pipeline_run.h"
#include "bench/planted_rows.h"

namespace freshet {

namespace {

constexpr std::uint32_t kBatch = 256;

/// One learner, and one frozen candidate whose evaluation no evidence can end.
std::string loop_config() {
  std::string fields;
  for (std::size_t i = 0; i < PlantedRows::kWidth; ++i) {
    fields +=
        fmt::format(R"({}"x{}": {{"kind": "number", "missing": "reject"}})", i == 0 ? "" : ", ", i);
  }
  return fmt::format(R"({{
    "pipeline": "loop", "task": "binary",
    "stream": {{
      "event": {{"time": {{"every": "1s", "from": "2024-01-01T00:00:00Z"}}, "fields": {{{}}}}},
      "label": {{"field": "label", "known": "with_event"}}
    }},
    "learners": [{{
      "name": "steady", "network": {{"kind": "mlp", "hidden": [64, 64]}},
      "train": {{"optimizer": "adam", "learning_rate": 0.001, "batch": {}, "steps": 1}}
    }}],
    "retrain": {{
      "when": {{"any": [{{"rows": 8192}}]}},
      "do": [{{"fresh": "steady", "window_rows": 4096, "epochs": 1}}],
      "cooldown": "3650d"
    }},
    "evaluate": {{"max_rows": 1000000000, "cycle": "0s"}},
    "promote": {{"alpha": 1e-300}}
  }})",
                     fields, kBatch);
}

BenchResult loop(const BenchOptions& options) {
  const PlantedRows rows(4, options.rows.value_or(600'000));
  const PipelineRun run(options.folder + "/loop", loop_config(), rows.size(),
                        [&](std::uint64_t i, Event& event) {
                          const float* vector = rows.vectors.data() + i * PlantedRows::kWidth;
                          for (std::size_t f = 0; f < PlantedRows::kWidth; ++f) {
                            event.values[f].number = static_cast<double>(vector[f]);
                          }
                          event.label = static_cast<double>(rows.labels[i]);
                        });
  BareTorch bare(PlantedRows::kWidth, NetworkSpec{}.hidden, 0.001);
  const auto reference = [&] {
    return seconds_of(
        [&] { bare.train(rows.vectors.data(), rows.labels.data(), rows.size(), kBatch); });
  };
  return interleave(
      "loop/256", "rows/s", static_cast<double>(rows.size()), 5, [&] { return run.seconds(); },
      reference, "bare LibTorch training, batch 256, of scaled rows in memory");
}

}  // namespace

std::vector<Bench> loop_benches() {
  return {{"loop/256", [](const BenchOptions& options) -> std::vector<BenchResult> {
             return {loop(options)};
           }}};
}

}  // namespace freshet
