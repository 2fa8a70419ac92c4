#include "scenario/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "stream/random.h"

namespace freshet {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string pattern = (fs::temp_directory_path() / "freshet-test-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string ScratchFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name), std::ios::binary) << text;
  return path(name);
}

namespace {

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Outcome freshet_program(const std::string& arguments, const std::string& prefix,
                        const std::string& input) {
  const ScratchFolder scratch;
  const std::string in = scratch.write("in", input);
  const std::string line = prefix + " " + FRESHET_PROGRAM + " " + arguments + " <" + in + " >" +
                           scratch.path("out") + " 2>" + scratch.path("err");
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.code = code_of(status);
  outcome.out = read_all(scratch.path("out"));
  outcome.err = read_all(scratch.path("err"));
  return outcome;
}

nlohmann::json fingerprint_of(const std::string& workspace) {
  return freshet_program("registry fingerprint --parts --json -w " + workspace).json();
}

namespace {

[[noreturn]] void become_program(const std::string& line, int input, const std::string& out,
                                 const std::string& err) {
  ::dup2(input, STDIN_FILENO);
  constexpr int kNew = O_WRONLY | O_CREAT | O_TRUNC;
  ::dup2(::open(out.c_str(), kNew, 0600), STDOUT_FILENO);
  ::dup2(::open(err.c_str(), kNew, 0600), STDERR_FILENO);
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; in >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

RunningProgram::RunningProgram(const std::string& arguments, const std::string& prefix) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  process_ = ::fork();
  if (process_ == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    become_program(prefix + " " + FRESHET_PROGRAM + " " + arguments, ends[0], scratch_.path("out"),
                   scratch_.path("err"));
  }
  ::close(ends[0]);
  input_ = ends[1];
}

RunningProgram::~RunningProgram() {
  if (!ended_) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, &status_, 0);
  }
  if (input_ >= 0) ::close(input_);
}

void RunningProgram::feed(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(input_, text.data() + at, text.size() - at);
    if (count < 0) return;
    at += static_cast<std::size_t>(count);
  }
}

void RunningProgram::signal(int number) { ::kill(process_, number); }

std::string RunningProgram::output() const { return read_all(scratch_.path("out")); }

bool RunningProgram::ends_within(int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!ended_ && std::chrono::steady_clock::now() < end) {
    ended_ = ::waitpid(process_, &status_, WNOHANG) == process_;
    if (!ended_) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return ended_;
}

Outcome RunningProgram::end() {
  if (!ends_within(60'000)) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, &status_, 0);
    ended_ = true;
  }
  return {code_of(status_), read_all(scratch_.path("out")), read_all(scratch_.path("err"))};
}

void start_and_kill(const std::string& arguments, int milliseconds) {
  RunningProgram(arguments).ends_within(milliseconds);
}

std::string turning_config() {
  return R"({
  "pipeline": "turning", "task": "binary",
  "stream": {
    "event": {"time": {"every": "30s", "from": "2024-01-01T00:00:00Z"},
              "fields": {"x": "number", "y": "number", "kind": "category"}},
    "label": {"field": "label", "known": {"after": "1h"}}
  },
  "learners": [
    {"name": "linear", "network": {"kind": "linear"},
     "train": {"optimizer": "sgd", "learning_rate": 0.1, "batch": 32}},
    {"name": "network", "network": {"kind": "mlp", "hidden": [16]},
     "train": {"optimizer": "adam", "learning_rate": 0.003, "batch": 48}}
  ],
  "retrain": {"when": {"any": [{"rows": 4000}]},
              "do": [{"fresh": "network", "window_rows": 4000, "epochs": 2}]},
  "evaluate": {"holdout_rows": 1000, "cycle": "0s", "max_rows": 8000}
})";
}

namespace {

struct TurningEvent {
  double x = 0;
  double y = 0;
  int kind = 0;
  int label = 0;
};

TurningEvent turning_event(std::size_t i, std::size_t events) {
  KeyedGenerator generator(7, i);
  TurningEvent event;
  event.x = 2 * generator.uniform() - 1;
  event.y = 2 * generator.uniform() - 1;
  event.kind = static_cast<int>(generator.below(5));
  // First a weighted sum tells it, then none does.
  const bool turned = i > events / 4;
  bool positive = turned ? event.x * event.y > 0 : event.x + event.y / 2 > 0;
  if (generator.uniform() < 0.1) positive = !positive;
  event.label = positive ? 1 : 0;
  return event;
}

}  // namespace

std::vector<std::string> turning_csv(std::size_t events) {
  std::vector<std::string> lines = {"x,y,kind,label"};
  for (std::size_t i = 0; i < events; ++i) {
    const TurningEvent e = turning_event(i, events);
    lines.push_back(fmt::format("{:.17g},{:.17g},k{},{}", e.x, e.y, e.kind, e.label));
  }
  return lines;
}

std::vector<std::string> turning_jsonl(std::size_t events) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < events; ++i) {
    const TurningEvent e = turning_event(i, events);
    const nlohmann::json j{
        {"x", e.x}, {"y", e.y}, {"kind", fmt::format("k{}", e.kind)}, {"label", e.label}};
    lines.push_back(j.dump());
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end && i < lines.size(); ++i) text += lines[i] + "\n";
  return text;
}

}  // namespace freshet
