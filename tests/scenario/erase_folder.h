#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "scenario/service.h"

namespace freshet {

inline constexpr std::size_t kEvents = 6000;
inline constexpr std::size_t kBefore = 5000;
inline const std::string kPerson = "Zebulon Quux";  // 40 events, ids zq-0, zq-150 …
inline const std::string kErase =
    "events erase --key 'person=" + kPerson + "' --reason 'by request' -w ";

inline bool is_theirs(std::size_t event) { return event % 150 == 0; }

inline std::vector<std::string> persons_events() {
  std::vector<std::string> lines = served_events(kEvents);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    nlohmann::json event = nlohmann::json::parse(lines[i]);
    event["person"] = is_theirs(i) ? kPerson : "someone " + std::to_string(i % 7);
    if (is_theirs(i)) event["id"] = "zq-" + std::to_string(i);
    lines[i] = event.dump();
  }
  return lines;
}

/// A folder with a workspace `before`, of events of which some are `kPerson`'s, and `reference`:
/// they were erased there, and it went on.
class Erase : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    nlohmann::json config = nlohmann::json::parse(served_config());
    config["stream"]["event"]["fields"]["person"] = "category";
    scratch_->write("config.json", config.dump());
    std::vector<std::string> lines = persons_events();
    nlohmann::json bad = nlohmann::json::parse(lines[0]);
    bad["x"] = "the height of " + kPerson;
    lines.insert(lines.begin() + 100, bad.dump());
    scratch_->write("a.jsonl", joined(lines, 0, kBefore));
    scratch_->write("b.jsonl", joined(lines, kBefore, lines.size()));
    scratch_->write("again.jsonl", lines[0]);
    ASSERT_EQ(freshet_program("run " + path("config.json") + " -w " + path("before") + " -i " +
                              path("a.jsonl"))
                  .code,
              0);
    copy("reference");
    erased_ = freshet_program(kErase + path("reference") + " --json");
    ASSERT_EQ(erased_.code, 0) << erased_.err;
    at_once_ = fingerprint_of(path("reference"));
    go_on("reference");
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static void copy(const std::string& name) {
    std::filesystem::copy(path("before"), path(name), std::filesystem::copy_options::recursive);
  }
  static void go_on(const std::string& name) {
    const Outcome run = freshet_program("run -w " + path(name) + " -i " + path("b.jsonl"));
    ASSERT_EQ(run.code, 0) << run.err;
  }
  /// The files of a workspace that hold `text`. In a process of its own: whoever closes a file
  /// gives up the locks that it has on it, those of a reader too.
  static std::vector<std::string> holding(const std::string& name, const std::string& text) {
    const std::string list = scratch_->path("holding.txt");
    const std::string search = fmt::format("grep -rlF '{}' {} > {}", text, path(name), list);
    EXPECT_LE(WEXITSTATUS(std::system(search.c_str())), 1);
    std::vector<std::string> found;
    std::ifstream in(list);
    for (std::string file; std::getline(in, file);) {
      found.push_back(std::filesystem::path(file).filename());
    }
    return found;
  }

  /// Gives how many checkpoints there are.
  static int damage_newest_checkpoint(const std::string& name) {
    SQLite::Database registry(path(name + "/registry.db"), SQLite::OPEN_READWRITE);
    registry.exec(
        "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
        "max(number) FROM checkpoints)");
    return registry.execAndGet("SELECT count(*) FROM checkpoints").getInt();
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline Outcome erased_;
  static inline nlohmann::json at_once_;
};

}  // namespace freshet
