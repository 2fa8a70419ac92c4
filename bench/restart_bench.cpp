#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "bench/measure.h"
#include "bench/serving.h"
#include "stream/error.h"

namespace freshet {

namespace {

struct RestartTimes {
  double predict = 0;  ///< seconds from the start of the process to its first answer
  double event = 0;    ///< and to its first durable event
  double batch = 0;    ///< and to 1,000 more
};

void fill(const std::string& folder, std::uint64_t events) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/config.json") << served_config("3650d");
  const std::string command = fmt::format(
      "'{}' run '{}/config.json' -w '{}/w' -i - >/dev/null 2>&1", FRESHET_PROGRAM, folder, folder);
  const std::unique_ptr<FILE, int (*)(FILE*)> run(popen(command.c_str(), "w"), pclose);
  if (!run) throw Error(ErrorKind::unavailable, "cannot start " + command);
  constexpr std::uint64_t kAtOnce = 1000;
  for (std::uint64_t i = 0; i < events; i += kAtOnce) {
    const std::string lines = event_lines(i, std::min(events, i + kAtOnce));
    if (std::fwrite(lines.data(), 1, lines.size(), run.get()) != lines.size()) {
      throw Error(ErrorKind::unavailable, "the run ended early: " + command);
    }
  }
}

// Every id is within the horizon of duplicates, so that all of them are needed again.
RestartTimes restart(const BenchOptions& options, std::uint64_t events) {
  constexpr int kRounds = 3;
  constexpr std::uint64_t kBatch = 1000;
  const std::string folder = fmt::format("{}/restart-{}", options.folder, events);
  fill(folder, events);
  std::vector<double> predict;
  std::vector<double> event;
  std::vector<double> batch;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const auto since = [begin] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    Serving serving(folder, served_config("3650d"));
    serving.ask("POST", Serving::kPath + "/predict",
                fmt::format(R"({{"event":{},"record":false}})", event_line(events, false)));
    predict.push_back(since());
    const std::uint64_t next = events + static_cast<std::uint64_t>(round) * (kBatch + 1);
    serving.append(event_line(next, true) + "\n");
    event.push_back(since());
    serving.append(event_lines(next + 1, next + 1 + kBatch));
    batch.push_back(since());
    serving.kill();
  }
  std::filesystem::remove_all(folder);
  std::sort(predict.begin(), predict.end());
  std::sort(event.begin(), event.end());
  std::sort(batch.begin(), batch.end());
  return {predict[kRounds / 2], event[kRounds / 2], batch[kRounds / 2]};
}

std::vector<BenchResult> ten_times(const BenchOptions& options) {
  const std::uint64_t events = options.rows.value_or(1'000'000);
  const RestartTimes small = restart(options, events);
  const RestartTimes large = restart(options, events * 10);
  const std::string against =
      fmt::format("after kill -9 of a service of {} events; value: of ten times as many", events);
  return {{"restart/predict", large.predict, "s", small.predict, large.predict / small.predict,
           "its first answer " + against},
          {"restart/event", large.event, "s", small.event, large.event / small.event,
           "its first durable event " + against},
          {"restart/batch", large.batch, "s", small.batch, large.batch / small.batch,
           "1,000 durable events after that " + against}};
}

}  // namespace

std::vector<Bench> restart_benches() {
  return {{"restart/predict restart/event restart/batch", ten_times}};
}

}  // namespace freshet
