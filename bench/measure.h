#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// What the command line asks of every benchmark.
struct BenchOptions {
  std::string filter;                 ///< only names that contain it
  std::optional<std::uint64_t> rows;  ///< instead of a benchmark's own number, for quick tries
  std::uint64_t streams = 2000;       ///< of each A/A cell
  std::string folder;                 ///< scratch files; removed by who made it
};

/// One line of the report.
struct BenchResult {
  std::string name;
  double value = 0;
  std::string unit;
  double reference = 0;
  double ratio = 0;     ///< value / reference; of timings the median of the rounds' own ratios
  std::string against;  ///< what the reference is, for people
};

/// A benchmark; `run` gives one line or several.
struct Bench {
  std::string name;  ///< a prefix of its results' names, or a name of its own
  std::function<std::vector<BenchResult>(const BenchOptions&)> run;
  bool on_request = false;  ///< takes long: runs only when the filter names its family
};

/// Seconds that `work` takes.
double seconds_of(const std::function<void()>& work);

/// Times subject and reference in turn, A B A B, and reports `amount` per second of each. A round
/// before the first warms both up and doesn't count.
BenchResult interleave(std::string name, std::string unit, double amount, int rounds,
                       const std::function<double()>& subject_seconds,
                       const std::function<double()>& reference_seconds, std::string against);

// One for each .cpp.
std::vector<Bench> learner_benches();
std::vector<Bench> scorer_benches();
std::vector<Bench> loop_benches();
std::vector<Bench> ingest_benches();
std::vector<Bench> memory_benches();
std::vector<Bench> aa_benches();
std::vector<Bench> serve_benches();
std::vector<Bench> restart_benches();

/// The hidden part of memory/10x: one run in this process; prints "<VmHWM kB> <seconds>".
int memory_child(const std::string& folder, std::uint64_t rows);

}  // namespace freshet
