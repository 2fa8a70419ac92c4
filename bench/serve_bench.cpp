#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "bench/measure.h"
#include "stream/error.h"
#include "stream/event_time.h"
#include "stream/random.h"
#include "tests/support/loopback.h"

namespace freshet {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kConfig = R"({
  "pipeline": "bench", "task": "binary",
  "stream": {
    "event": {"id": "id", "time": "at",
      "fields": {"a": "number", "b": "number", "c": "number", "d": "number", "e": "number",
                 "f": "number", "g": "number", "kind": "category"}},
    "label": {"field": "label", "known": "with_event"},
    "dedup_within": "1h", "max_time_jump": "3650d"},
  "learners": [
    {"name": "network", "network": {"kind": "mlp", "hidden": [64, 64]},
     "train": {"optimizer": "adam", "learning_rate": 0.003, "batch": 256}},
    {"name": "linear", "network": {"kind": "linear"},
     "train": {"optimizer": "sgd", "learning_rate": 0.05, "batch": 256}}]
})";

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::string event_line(std::uint64_t i, bool with_label) {
  KeyedGenerator generator(11, i);
  const double a = generator.uniform() - 0.5;
  const double b = generator.uniform() - 0.5;
  std::string line = fmt::format(
      R"({{"id":"{}","at":"{}","a":{:.6f},"b":{:.6f},"c":{:.4f},"d":{:.4f},"e":{:.4f},"f":{:.4f},)"
      R"("g":{:.4f},"kind":"k{}")",
      i, format_time(1'700'000'000'000 + static_cast<Millis>(i) * 10), a, b, generator.uniform(),
      generator.uniform(), generator.uniform(), generator.uniform(), generator.uniform(), i % 17);
  if (with_label) line += fmt::format(R"(,"label":{})", a + b > 0 ? 1 : 0);
  return line + "}";
}

/// The program serving in a process of its own; ended by pid when this goes.
class Serving {
 public:
  explicit Serving(const std::string& folder) : folder_(folder + "/serve") {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/config.json") << kConfig;
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open((folder_ + "/out").c_str(), O_WRONLY | O_CREAT, 0600);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
      const std::string config = folder_ + "/config.json";
      const std::string workspace = folder_ + "/w";
      ::execl(FRESHET_PROGRAM, FRESHET_PROGRAM, "serve", config.c_str(), "-w", workspace.c_str(),
              "--listen", "127.0.0.1:0", nullptr);
      ::_exit(127);
    }
    for (int tries = 0; port_ == 0; ++tries) {
      std::ifstream in(folder_ + "/out");
      std::string line;
      while (std::getline(in, line)) {
        const auto at = line.find("?token=");
        if (!line.starts_with("open ") || at == std::string::npos || in.eof()) continue;
        token_ = line.substr(at + 7);
        port_ = std::stoi(line.substr(line.find(':', 12) + 1));
      }
      if (tries > 2000) throw Error(ErrorKind::unavailable, "freshet serve does not listen");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~Serving() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  int connect() const {
    const int socket = connect_to_loopback(port_);
    if (socket < 0) throw Error(ErrorKind::unavailable, "cannot connect to freshet serve");
    return socket;
  }

  int send(const std::string& method, const std::string& path, const std::string& body) const {
    const int socket = connect();
    const std::string bytes = fmt::format(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n{}\r\n{}", method,
        path, port_, token_,
        method == "GET"
            ? std::string()
            : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size()),
        body);
    send_all(socket, bytes);
    return socket;
  }

  /// The body of the answer; throws unless its status is 200.
  std::string ask(const std::string& method, const std::string& path,
                  const std::string& body = "") const {
    const int socket = send(method, path, body);
    std::string answer;
    char chunk[65536];
    for (ssize_t got = 0; (got = ::recv(socket, chunk, sizeof chunk, 0)) > 0;) {
      answer.append(chunk, static_cast<std::size_t>(got));
    }
    ::close(socket);
    if (!answer.starts_with("HTTP/1.1 200")) {
      throw Error(ErrorKind::unavailable, path + ": " + answer.substr(0, 400));
    }
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  json state() const { return json::parse(ask("GET", kPath)); }
  void append(const std::string& lines) const { ask("POST", kPath + "/events", lines); }

  /// Seconds of processor time so far.
  double cpu_seconds() const {
    std::ifstream in(fmt::format("/proc/{}/stat", pid_));
    std::string field;
    double ticks = 0;
    for (int i = 1; i <= 15 && in >> field; ++i) {
      if (i >= 14) ticks += std::stod(field);
    }
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

  inline static const std::string kPath = "/api/v1/pipelines/bench";

 private:
  std::string folder_;
  pid_t pid_ = 0;
  int port_ = 0;
  std::string token_;
};

std::string lines_of(std::uint64_t begin, std::uint64_t end) {
  std::string lines;
  for (std::uint64_t i = begin; i < end; ++i) lines += event_line(i, true) + "\n";
  return lines;
}

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
            batches.push_back(lines_of(from + i * 1000, from + (i + 1) * 1000));
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
  const Serving serving(options.folder);
  for (std::uint64_t i = 0; i < 20; ++i) serving.append(lines_of(i * 1000, (i + 1) * 1000));
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
  const Serving serving(options.folder);
  const std::uint64_t batches = options.rows.value_or(300'000) / 1000;
  std::uint64_t next = 0;
  const auto feed = [&] {
    std::vector<std::string> bodies;
    for (std::uint64_t i = 0; i < batches; ++i, next += 1000) {
      bodies.push_back(lines_of(next, next + 1000));
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
  const Serving serving(options.folder);
  const std::uint64_t batches = options.rows.value_or(300'000) / 1000;
  std::vector<std::string> bodies;
  for (std::uint64_t i = 0; i < batches; ++i) bodies.push_back(lines_of(i * 1000, (i + 1) * 1000));
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
  const Serving serving(options.folder);
  serving.append(lines_of(0, 5000));
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
    serving.append(lines_of(5000 + i, 5001 + i));
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
  const Serving serving(options.folder);
  serving.append(lines_of(0, 5000));
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
