#include "bench/serving.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "stream/error.h"
#include "stream/event_time.h"
#include "stream/random.h"
#include "tests/support/loopback.h"

namespace freshet {

namespace {

constexpr const char* kConfig = R"({
  "pipeline": "bench", "task": "binary",
  "stream": {
    "event": {"id": "id", "time": "at",
      "fields": {"a": "number", "b": "number", "c": "number", "d": "number", "e": "number",
                 "f": "number", "g": "number", "kind": "category"}},
    "label": {"field": "label", "known": "with_event"},
    "dedup_within": "DEDUP", "max_time_jump": "3650d"},
  "learners": [
    {"name": "network", "network": {"kind": "mlp", "hidden": [64, 64]},
     "train": {"optimizer": "adam", "learning_rate": 0.003, "batch": 256}},
    {"name": "linear", "network": {"kind": "linear"},
     "train": {"optimizer": "sgd", "learning_rate": 0.05, "batch": 256}}]
})";

}  // namespace

std::string served_config(const std::string& dedup_within) {
  std::string config = kConfig;
  const std::string place = "DEDUP";
  return config.replace(config.find(place), place.size(), dedup_within);
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

std::string event_lines(std::uint64_t begin, std::uint64_t end) {
  std::string lines;
  for (std::uint64_t i = begin; i < end; ++i) lines += event_line(i, true) + "\n";
  return lines;
}

Serving::Serving(const std::string& folder, const std::string& config) : folder_(folder) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/config.json") << config;
  std::filesystem::remove(folder_ + "/out");
  pid_ = ::fork();
  if (pid_ == 0) {
    const int out = ::open((folder_ + "/out").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    const std::string file = folder_ + "/config.json";
    const std::string workspace = folder_ + "/w";
    ::execl(FRESHET_PROGRAM, FRESHET_PROGRAM, "serve", file.c_str(), "-w", workspace.c_str(),
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

Serving::~Serving() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

void Serving::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

int Serving::connect() const {
  const int socket = connect_to_loopback(port_);
  if (socket < 0) throw Error(ErrorKind::unavailable, "cannot connect to freshet serve");
  return socket;
}

int Serving::send(const std::string& method, const std::string& path,
                  const std::string& body) const {
  const int socket = connect();
  const std::string bytes = fmt::format(
      "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n{}\r\n{}", method, path,
      port_, token_,
      method == "GET"
          ? std::string()
          : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size()),
      body);
  send_all(socket, bytes);
  return socket;
}

std::string Serving::ask(const std::string& method, const std::string& path,
                         const std::string& body) const {
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

double Serving::cpu_seconds() const {
  std::ifstream in(fmt::format("/proc/{}/stat", pid_));
  std::string field;
  double ticks = 0;
  for (int i = 1; i <= 15 && in >> field; ++i) {
    if (i >= 14) ticks += std::stod(field);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace freshet
