#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace freshet {

/// A folder of the test's own, gone when it ends.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  /// Writes a file; gives its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string folder_;
};

struct Outcome {
  int code = 0;  ///< exit code; 128 + the signal if one ended it
  std::string out;
  std::string err;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// Runs the program to its end. `prefix` goes before it on the shell's line, `input` to its stdin.
Outcome freshet_program(const std::string& arguments, const std::string& prefix = "",
                        const std::string& input = "");

/// `registry fingerprint --parts --json` of a workspace.
nlohmann::json fingerprint_of(const std::string& workspace);

/// The program at work beside the test, its standard input in the test's hands. Killed if it still
/// runs when this goes.
class RunningProgram {
 public:
  /// `prefix`: words before the program's own, a program that becomes it (env, prlimit, strace -D).
  explicit RunningProgram(const std::string& arguments, const std::string& prefix = "");
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  /// Gives it all of `text` to read; what it doesn't take is dropped when it has ended.
  void feed(const std::string& text);
  void signal(int number);
  int process() const { return process_; }
  /// What it has printed so far.
  std::string output() const;
  bool ends_within(int milliseconds);
  /// Waits 60 s at most for its end, then kills it.
  Outcome end();

 private:
  ScratchFolder scratch_;
  int input_ = -1;
  int process_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

/// Starts the program and kills it with SIGKILL after `milliseconds`, unless it ended before.
void start_and_kill(const std::string& arguments, int milliseconds);

/// A config and its events: a binary task with two numbers, a category and labels that become known
/// an hour after their event. After a quarter of the events what the label depends on changes.
std::string turning_config();
std::vector<std::string> turning_csv(std::size_t events);    ///< header first
std::vector<std::string> turning_jsonl(std::size_t events);  ///< the same events

std::string joined(const std::vector<std::string>& lines, std::size_t begin, std::size_t end);

}  // namespace freshet
