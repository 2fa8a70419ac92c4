#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "bench/measure.h"
#include "bench/pipeline_run.h"
#include "stream/error.h"
#include "stream/random.h"

namespace freshet {

namespace {

constexpr const char* kConfig = R"({
  "pipeline": "memory", "task": "binary",
  "stream": {
    "event": {
      "time": {"every": "1s", "from": "2024-01-01T00:00:00Z"},
      "fields": {"x0": {"kind": "number", "missing": "reject"},
                 "x1": {"kind": "number", "missing": "reject"},
                 "x2": {"kind": "number", "missing": "reject"},
                 "x3": {"kind": "number", "missing": "reject"},
                 "x4": {"kind": "number", "missing": "reject"},
                 "x5": {"kind": "number", "missing": "reject"},
                 "x6": {"kind": "number", "missing": "reject"},
                 "x7": {"kind": "number", "missing": "reject"}}
    },
    "label": {"field": "label", "known": {"after": "100000s"}}
  },
  "learners": [{
    "name": "linear", "network": {"kind": "linear"},
    "train": {"optimizer": "sgd", "learning_rate": 0.01, "batch": 1024}
  }],
  "retrain": {"when": {"any": []}, "do": []},
  "evaluate": {"cycle": "0s"}
})";

/// The process's highest resident set so far, in kB.
std::uint64_t peak_memory_kb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "VmHWM:") continue;
    std::uint64_t kb = 0;
    status >> kb;
    return kb;
  }
  throw Error(ErrorKind::unavailable, "/proc/self/status names no VmHWM");
}

struct RunCost {
  double peak_mb = 0;
  double seconds_per_row = 0;
};

RunCost measure(const BenchOptions& options, std::uint64_t rows) {
  const std::string folder = fmt::format("{}/memory-{}", options.folder, rows);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      fmt::format("'{}' --memory-child '{}' --rows {}", program, folder, rows);
  const std::unique_ptr<FILE, int (*)(FILE*)> child(popen(command.c_str(), "r"), pclose);
  double kb = 0;
  double seconds = 0;
  if (!child || std::fscanf(child.get(), "%lf %lf", &kb, &seconds) != 2) {
    throw Error(ErrorKind::unavailable, "the run of its own gave no figures: " + command);
  }
  std::filesystem::remove_all(folder);
  return {kb / 1024, seconds / static_cast<double>(rows)};
}

std::vector<BenchResult> ten_times(const BenchOptions& options) {
  const std::uint64_t rows = options.rows.value_or(1'000'000);
  const RunCost small = measure(options, rows);
  const RunCost large = measure(options, rows * 10);
  const std::string against =
      fmt::format("a run over {} rows; value: over ten times as many", rows);
  return {
      {"memory/10x", large.peak_mb, "MB", small.peak_mb, large.peak_mb / small.peak_mb, against},
      {"cost/10x", large.seconds_per_row * 1e6, "us/row", small.seconds_per_row * 1e6,
       large.seconds_per_row / small.seconds_per_row, against}};
}

}  // namespace

int memory_child(const std::string& folder, std::uint64_t rows) {
  const PipelineRun run(folder, kConfig, rows, [](std::uint64_t i, Event& event) {
    KeyedGenerator generator(6, i);
    double sum = 0;
    for (FieldValue& value : event.values) {
      value.number = 2 * generator.uniform() - 1;
      sum += value.number;
    }
    event.label = sum + 2 * generator.uniform() - 1 > 0 ? 1 : 0;
  });
  const double seconds = run.seconds();
  fmt::print("{} {}\n", peak_memory_kb(), seconds);
  return 0;
}

// One run gives both, so both go by either name.
std::vector<Bench> memory_benches() { return {{"memory/10x cost/10x", ten_times}}; }

}  // namespace freshet
