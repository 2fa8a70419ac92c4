#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/measure.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

/// Torch's libraries read the profile when they are loaded, which is before main: so it is set for
/// a second start of the same program.
void start_with_profile(char** argv) {
  if (std::getenv("FRESHET_BENCH_PROFILE") != nullptr) return;
  setenv("FRESHET_BENCH_PROFILE", "set", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  setenv("OMP_NUM_THREADS", "1", 0);
  setenv("OMP_DYNAMIC", "FALSE", 0);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    setenv("OPENBLAS_CORETYPE", "Haswell", 0);
    setenv("ATEN_CPU_CAPABILITY", "avx2", 0);
  }
#endif
  execv("/proc/self/exe", argv);
}

/// A folder for scratch files that goes when the program ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "freshet-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder: " + name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Bench> all_benches() {
  std::vector<Bench> all;
  for (const auto& family : {learner_benches(), scorer_benches(), loop_benches(), ingest_benches(),
                             memory_benches(), aa_benches(), serve_benches(), restart_benches()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

bool chosen(const Bench& bench, const std::string& filter) {
  if (bench.name.find(filter) == std::string::npos) return false;
  return !bench.on_request || !filter.empty();
}

void print_line(const BenchResult& result) {
  fmt::print("{:<22} {:>14.6g} {:<10} {:>14.6g} {:>8.3f}  {}\n", result.name, result.value,
             result.unit, result.reference, result.ratio, result.against);
  std::fflush(stdout);
}

int run_all(const BenchOptions& options, bool json) {
  nlohmann::json lines = nlohmann::json::array();
  if (!json) {
    fmt::print("{:<22} {:>14} {:<10} {:>14} {:>8}  {}\n", "name", "value", "unit", "reference",
               "ratio", "against");
  }
  bool any = false;
  for (const Bench& bench : all_benches()) {
    if (!chosen(bench, options.filter)) continue;
    any = true;
    for (const BenchResult& result : bench.run(options)) {
      if (!json) print_line(result);
      lines.push_back({{"name", result.name},
                       {"value", result.value},
                       {"unit", result.unit},
                       {"reference", result.reference},
                       {"ratio", result.ratio}});
    }
  }
  if (json) fmt::print("{}\n", nlohmann::json{{"benchmarks", lines}}.dump(2));
  if (any) return 0;
  fmt::print(stderr, "no benchmark's name contains \"{}\"\n", options.filter);
  return 2;
}

int bench_main(int argc, char** argv) {
  CLI::App app{"Measures Freshet against the bare work, both in the same run, in turn."};
  BenchOptions options;
  std::uint64_t rows = 0;
  bool json = false;
  std::string child;
  app.add_option("--filter", options.filter,
                 "only benchmarks whose name contains it; aa/ and planted/ run only so");
  app.add_flag("--json", json, "one JSON object instead of the table");
  app.add_option("--rows", rows, "rows or events of each benchmark, for quick tries")
      ->check(CLI::Range(std::uint64_t{1000}, std::uint64_t{1} << 40));
  app.add_option("--streams", options.streams, "streams of each aa/ and planted/ cell")
      ->capture_default_str();
  app.add_option("--memory-child", child)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!child.empty()) return memory_child(child, rows);
  if (rows > 0) options.rows = rows;
  const ScratchFolder scratch;
  options.folder = scratch.path();
  return run_all(options, json);
}

}  // namespace

}  // namespace freshet

int main(int argc, char** argv) {
  freshet::start_with_profile(argv);
  try {
    return freshet::bench_main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "freshet_bench: {}\n", error.what());
    return 1;
  }
}
