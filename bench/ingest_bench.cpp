#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "bench/measure.h"
#include "orchestrator/config.h"
#include "stream/ingest.h"
#include "stream/open_source.h"
#include "stream/random.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFields = 8;
constexpr std::size_t kEventBytes = 200;
constexpr const char* kConfig = R"({
  "pipeline": "ingest", "task": "binary",
  "stream": {
    "event": {
      "id": "id", "time": {"field": "time", "unit": "s"},
      "fields": {"x0": "number", "x1": "number", "x2": "number", "x3": "number", "x4": "number",
                 "x5": "number", "x6": "number", "x7": "number", "note": "text"}
    },
    "label": {"field": "label", "known": "with_event"}
  }
})";

/// One event as a line of exactly kEventBytes, its line feed included: a text field fills it up.
std::string event_line(std::uint64_t i, bool json) {
  KeyedGenerator generator(5, i);
  std::string line = json ? fmt::format(R"({{"id":"e{:08}","time":{})", i, 1'700'000'000 + i)
                          : fmt::format("e{:08},{}", i, 1'700'000'000 + i);
  for (std::size_t f = 0; f < kFields; ++f) {
    const double value = generator.uniform() * 100;
    line += json ? fmt::format(R"(,"x{}":{:.4f})", f, value) : fmt::format(",{:.4f}", value);
  }
  const std::uint64_t label = generator.below(2);
  line += json ? fmt::format(R"(,"label":{},"note":")", label) : fmt::format(",{},", label);
  const std::string end = json ? "\"}\n" : "\n";
  line.resize(std::max(line.size(), kEventBytes - end.size()), 'n');
  return line + end;
}

std::string write_events(const std::string& folder, std::uint64_t events, bool json) {
  const std::string path = folder + (json ? "/events.jsonl" : "/events.csv");
  std::ofstream file(path, std::ios::binary);
  if (!json) file << "id,time,x0,x1,x2,x3,x4,x5,x6,x7,label,note\n";
  for (std::uint64_t i = 0; i < events; ++i) file << event_line(i, json);
  if (!file.flush()) throw Error(ErrorKind::unavailable, "cannot write " + path);
  return path;
}

double ingest_seconds(const std::string& path, const std::string& log_path, const Schema& schema,
                      std::uint64_t events) {
  double seconds = 0;
  {
    const auto log = EventLog::open(log_path, "bench");
    seconds = seconds_of([&] {
      InputSpec input;
      input.name = path;
      const auto source = open_source(input, schema, std::nullopt);
      Ingest ingest(schema, *log);
      while (ingest.pump(*source, 4096) != PollStatus::ended) {
      }
    });
    if (log->head() != events) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{} of {} events were ingested", log->head(), events));
    }
  }
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(log_path + end);
  return seconds;
}

double split_seconds(const std::string& path) {
  return seconds_of([&] {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    std::size_t bytes = 0;
    while (std::getline(file, line)) bytes += line.size();
    if (bytes == 0) throw Error(ErrorKind::unavailable, "cannot read " + path);
  });
}

BenchResult ingest(const BenchOptions& options, bool json) {
  const std::uint64_t events = options.rows.value_or(300'000);
  const Schema schema = parse_config(kConfig, "bench config").schema;
  const std::string path = write_events(options.folder, events, json);
  const std::string log = options.folder + "/ingest.db";
  BenchResult result = interleave(
      json ? "ingest/jsonl" : "ingest/csv", "events/s", static_cast<double>(events), 5,
      [&] { return ingest_seconds(path, log, schema, events); },
      [&] { return split_seconds(path); }, "reading the file and splitting it into lines, no more");
  fs::remove(path);
  return result;
}

}  // namespace

std::vector<Bench> ingest_benches() {
  return {{"ingest/jsonl",
           [](const BenchOptions& options) -> std::vector<BenchResult> {
             return {ingest(options, true)};
           }},
          {"ingest/csv", [](const BenchOptions& options) -> std::vector<BenchResult> {
             return {ingest(options, false)};
           }}};
}

}  // namespace freshet
