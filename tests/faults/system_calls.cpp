#include "faults/system_calls.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>

#include "scenario/program.h"

namespace freshet {

namespace {

// -D: the program stays the child of whoever starts it, strace is beside it.
constexpr const char* kStrace = "strace -D -f -o ";
constexpr const char* kCalls = "pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink,mkdir";

/// Whether a file has the same name in every run: temporary ones have not.
bool lasts(const std::string& path) { return path.find("/artifacts/") == std::string::npos; }

}  // namespace

std::string SystemCall::said() const {
  return fmt::format("{} {}{}", name, number, path.empty() ? "" : " of " + path);
}

std::string no_strace() {
  if (std::system("command -v strace >/dev/null 2>&1") != 0) return "strace is not installed";
  if (std::system("strace -D -f -o /dev/null true >/dev/null 2>&1") != 0) {
    return "this process may not trace others";
  }
  return "";
}

std::vector<SystemCall> system_calls(const std::string& arguments, const std::string& workspace) {
  const ScratchFolder scratch;
  const std::string trace = scratch.path("trace");
  const Outcome outcome =
      freshet_program(arguments, "strace -f -y -o " + trace + " -e trace=" + kCalls);
  if (outcome.code != 0) throw std::runtime_error("under strace: " + outcome.err);
  // pid name(fd<path>, … or pid name("path", …
  static const std::regex form(R"re(^(\d+) +([a-z0-9]+)\((?:\d+<([^>]*)>|"([^"]*)"))re");
  std::map<std::string, std::size_t> counts;
  std::set<std::string> seen;
  std::vector<SystemCall> calls;
  std::ifstream in(trace);
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (!std::regex_search(line, match, form)) continue;
    SystemCall call;
    call.name = match[2];
    const std::string thread_and_name = match[1].str() + call.name;
    const std::string path = match[3].matched ? match[3].str() : match[4].str();
    const std::size_t of_name = ++counts[thread_and_name];
    const std::size_t of_path = ++counts[thread_and_name + path];
    if (!path.starts_with(workspace)) continue;
    if (lasts(path)) call.path = path;
    call.number = call.path.empty() ? of_name : of_path;
    if (seen.insert(call.said()).second) calls.push_back(call);
  }
  return calls;
}

std::string injected(const SystemCall& call, const std::string& fault, std::size_t times) {
  const std::string path = call.path.empty() ? "" : "-P " + call.path + " ";
  const std::string when = times > 1 ? fmt::format("{}..{}", call.number, call.number + times - 1)
                                     : std::to_string(call.number);
  return fmt::format("{}/dev/null {}-e trace={} -e inject={}:{}:when={}", kStrace, path, call.name,
                     call.name, fault, when);
}

}  // namespace freshet
