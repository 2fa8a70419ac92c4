#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "bench/measure.h"
#include "bench/serving.h"
#include "stream/error.h"
#include "stream/random.h"
#include "tests/support/loopback.h"

namespace freshet {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// The folder of the next service, without what one before it has left.
std::string fresh(const std::string& folder) {
  std::filesystem::remove_all(folder);
  return folder;
}

std::string scratch(const BenchOptions& options) { return options.folder + "/serve"; }

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

/// Keeps the loop busy: appends events as fast as they are gone through.
class Feeder {
 public:
  Feeder(const Serving& serving, std::uint64_t from)
      : thread_([&serving, from](const std::stop_token& stop) {
          std::vector<std::string> batches;
          for (std::uint64_t i = 0; i < 200; ++i) {
            batches.push_back(event_lines(from + i * 1000, from + (i + 1) * 1000));
          }
          for (std::size_t i = 0; !stop.stop_requested() && i < batches.size(); ++i) {
            serving.append(batches[i]);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}

 private:
  std::jthread thread_;
};

/// Latencies in milliseconds of `count` requests at `rate` a second, each counted from the moment
/// it should have gone out, by four clients.
std::vector<double> at_rate(double rate, std::size_t count,
                            const std::function<void(std::size_t)>& request) {
  std::vector<double> latencies(count);
  std::vector<std::thread> clients;
  const auto begin = Clock::now();
  for (std::size_t client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (std::size_t i = client; i < count; i += 4) {
        const auto due = begin + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(static_cast<double>(i) / rate));
        std::this_thread::sleep_until(due);
        request(i);
        latencies[i] = milliseconds_since(due);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  return latencies;
}

std::vector<BenchResult> predict_bench(const BenchOptions& options) {
  const Serving serving(fresh(scratch(options)), served_config("1h"));
  for (std::uint64_t i = 0; i < 20; ++i) serving.append(event_lines(i * 1000, (i + 1) * 1000));
  while (serving.state().at("champion").is_null()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto predict = [&](std::size_t i, const char* more) {
    serving.ask("POST", Serving::kPath + "/predict",
                fmt::format(R"({{"event":{}{}}})", event_line(90'000'000 + i, false), more));
  };
  at_rate(500, 500, [&](std::size_t i) { predict(i, R"(,"record":false)"); });
  std::vector<double> idle;
  std::vector<double> busy;
  std::vector<double> durable;
  const std::size_t count = options.rows.value_or(2000);
  idle = at_rate(500, count, [&](std::size_t i) { predict(i, R"(,"record":false)"); });
  {
    const Feeder feeder(serving, 20'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    busy = at_rate(500, count, [&](std::size_t i) { predict(10'000'000 + i, ""); });
  }
  durable =
      at_rate(100, 300, [&](std::size_t i) { predict(20'000'000 + i, R"(,"durable":true)"); });
  const std::string against = "the same at rest, not recorded";
  const double rest50 = quantile(idle, 0.5);
  const double rest99 = quantile(idle, 0.99);
  const auto line = [&](const char* name, double value, double reference) {
    return BenchResult{name, value, "ms", reference, value / reference, against};
  };
  return {line("serve/predict_p50", quantile(busy, 0.5), rest50),
          line("serve/predict_p99", quantile(busy, 0.99), rest99),
          line("serve/predict_durable_p50", quantile(durable, 0.5), rest50),
          line("serve/predict_durable_p99", quantile(durable, 0.99), rest99)};
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// How much longer the loop takes for the same rows while 500 requests a second come in, against
// the processor time that the requests cost server and client at rest.
std::vector<BenchResult> slowdown_bench(const BenchOptions& options) {
  const Serving serving(fresh(scratch(options)), served_config("1h"));
  const std::uint64_t batches = options.rows.value_or(300'000) / 1000;
  std::uint64_t next = 0;
  const auto feed = [&] {
    std::vector<std::string> bodies;
    for (std::uint64_t i = 0; i < batches; ++i, next += 1000) {
      bodies.push_back(event_lines(next, next + 1000));
    }
    return seconds_of([&] {
      for (const std::string& body : bodies) serving.append(body);
      while (serving.state().at("rows").get<std::uint64_t>() < next) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  };
  std::uint64_t asked = 50'000'000;
  const auto predict = [&](std::size_t) {
    serving.ask("POST", Serving::kPath + "/predict",
                fmt::format(R"({{"event":{},"record":false}})", event_line(asked, false)));
  };
  feed();
  constexpr double kRate = 500;
  const double before = serving.cpu_seconds() + own_cpu_seconds();
  at_rate(kRate, 2000, predict);
  const double cost = (serving.cpu_seconds() + own_cpu_seconds() - before) / 2000;
  std::vector<double> lost;
  std::vector<double> ratios;
  for (int round = 0; round < 5; ++round) {
    const double alone = feed();
    std::atomic<bool> fed = false;
    std::size_t requests = 0;
    std::thread client([&] {
      for (; !fed; requests += 100) at_rate(kRate, 100, predict);
    });
    const double beside = feed();
    fed = true;
    client.join();
    const double cores = static_cast<double>(std::thread::hardware_concurrency());
    lost.push_back(1 - alone / beside);
    ratios.push_back((beside - alone) / (static_cast<double>(requests) * cost / cores));
  }
  return {{"serve/loop_slowdown", quantile(lost, 0.5), "share", kRate * cost, quantile(ratios, 0.5),
           "cores that 500 requests/s cost at rest; the ratio is of seconds lost to them"}};
}

std::vector<BenchResult> events_bench(const BenchOptions& options) {
  const Serving serving(fresh(scratch(options)), served_config("1h"));
  const std::uint64_t batches = options.rows.value_or(300'000) / 1000;
  std::vector<std::string> bodies;
  for (std::uint64_t i = 0; i < batches; ++i)
    bodies.push_back(event_lines(i * 1000, (i + 1) * 1000));
  std::atomic<std::size_t> next = 0;
  const double seconds = seconds_of([&] {
    std::vector<std::jthread> clients;
    for (int client = 0; client < 2; ++client) {
      clients.emplace_back([&] {
        for (std::size_t i = next++; i < bodies.size(); i = next++) serving.append(bodies[i]);
      });
    }
  });
  const double rate = static_cast<double>(batches * 1000) / seconds;
  return {{"serve/events", rate, "events/s", 150'000, rate / 150'000, "what must be reached"}};
}

// From the answer to an append until a page that listens has the change.
std::vector<BenchResult> change_bench(const BenchOptions& options) {
  const Serving serving(fresh(scratch(options)), served_config("1h"));
  serving.append(event_lines(0, 5000));
  const int stream = serving.send("GET", "/api/v1/changes", "");
  std::string bytes;
  const auto heard = [&](std::uint64_t position) {
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    char chunk[4096];
    while (Clock::now() < deadline) {
      if (bytes.find(fmt::format("\"position\":{},", position)) != std::string::npos) return true;
      pollfd entry{stream, POLLIN, 0};
      if (::poll(&entry, 1, 1000) <= 0) continue;
      const ssize_t got = ::recv(stream, chunk, sizeof chunk, 0);
      if (got <= 0) return false;
      bytes.append(chunk, static_cast<std::size_t>(got));
    }
    return false;
  };
  std::vector<double> waits;
  for (std::uint64_t i = 0; i < 200; ++i) {
    serving.append(event_lines(5000 + i, 5001 + i));
    const auto begin = Clock::now();
    if (!heard(5001 + i)) throw Error(ErrorKind::unavailable, "a change was not heard of");
    waits.push_back(milliseconds_since(begin));
    bytes.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(7 * (i % 20)));
  }
  ::close(stream);
  const double p99 = quantile(waits, 0.99);
  return {{"serve/change_p99", p99, "ms", 250, p99 / 250, "what must be reached"}};
}

std::vector<BenchResult> pages_bench(const BenchOptions& options) {
  const Serving serving(fresh(scratch(options)), served_config("1h"));
  serving.append(event_lines(0, 5000));
  const auto last = json::parse(serving.ask("GET", "/api/v1/changes?poll=9007199254740991"));
  const std::string poll =
      fmt::format("/api/v1/changes?poll={}", last.at("id").get<std::uint64_t>());
  std::vector<int> pages;
  for (int page = 0; page < 50; ++page) {
    pages.push_back(serving.send("GET", page < 32 ? "/api/v1/changes" : poll, ""));
  }
  std::this_thread::sleep_for(std::chrono::seconds(3));
  const double before = serving.cpu_seconds();
  const auto begin = Clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(8));
  const double share = (serving.cpu_seconds() - before) * 1000 / milliseconds_since(begin);
  for (const int page : pages) ::close(page);
  return {{"serve/idle_pages", share, "cores", 0.05, share / 0.05, "what must be reached"}};
}

}  // namespace

std::vector<Bench> serve_benches() {
  return {{"serve/predict", predict_bench},
          {"serve/events", events_bench},
          {"serve/loop_slowdown", slowdown_bench},
          {"serve/change", change_bench},
          {"serve/idle_pages", pages_bench}};
}

}  // namespace freshet
