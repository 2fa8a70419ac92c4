// freshet workspace check, backup and restore: beside a service at work, after a kill, on damage of
// every kind, into folders that won't do. What was restored goes on and ends in the same bits.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stop_token>
#include <thread>

#include "scenario/service.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kEvents = 6000;

class WorkspaceCommands : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("config.json", turning_config());
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    const Outcome outcome = freshet_program(run("reference", csv_));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    reference_ = fingerprint_of(path("reference"));
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static std::string run(const std::string& workspace, const std::string& input) {
    return "run " + config_ + " --json -w " + path(workspace) + " -i " + input;
  }
  static Outcome check(const std::string& workspace) {
    return freshet_program("workspace check --json -w " + path(workspace));
  }
  static Outcome backup(const std::string& workspace, const std::string& to,
                        const std::string& prefix = "") {
    return freshet_program("workspace backup --json -w " + path(workspace) + " --to " + path(to),
                           prefix);
  }
  static Outcome restore(const std::string& from, const std::string& workspace) {
    return freshet_program("workspace restore --json --from " + path(from) + " -w " +
                           path(workspace));
  }
  static std::string copied(const std::string& name) {
    fs::remove_all(path(name));
    fs::copy(path("reference"), path(name), fs::copy_options::recursive);
    return path(name);
  }
  static void change(const std::string& database, const std::string& statement) {
    SQLite::Database(database, SQLite::OPEN_READWRITE).exec(statement);
  }
  static void expect_nothing_at(const std::string& name) {
    EXPECT_FALSE(fs::exists(path(name)));
    EXPECT_FALSE(fs::exists(path(name + ".part")));
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
  static inline json reference_;
};

std::string artifact_of(const std::string& workspace) {
  return fs::directory_iterator(workspace + "/artifacts")->path().string();
}

void flip_byte(const std::string& file, std::streamoff place) {
  std::fstream io(file, std::ios::in | std::ios::out | std::ios::binary);
  io.seekg(place);
  const auto byte = static_cast<char>(io.get() ^ 0x10);
  io.seekp(place);
  io.put(byte);
}

TEST_F(WorkspaceCommands, CheckSaysWhatItReadAndThatAllIsWhole) {
  const Outcome outcome = check("reference");
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  const json report = outcome.json();
  EXPECT_EQ(report["whole"], true);
  EXPECT_EQ(report["pipelines"][0]["head"], kEvents);
  EXPECT_EQ(report["pipelines"][0]["position"], kEvents);
  EXPECT_GT(report["pipelines"][0]["row"], 5000);
  EXPECT_EQ(report["files"].size(), 4U);
  std::uint64_t bytes = 0;
  for (const json& file : report["files"]) bytes += file["bytes"].get<std::uint64_t>();
  EXPECT_LE(bytes, report["disk"]["total_bytes"]);
  EXPECT_GT(report["disk"]["free_bytes"], 0);
}

TEST_F(WorkspaceCommands, CheckNamesDamageOfEachKindAndABackupOfItIsRefused) {
  struct Kind {
    const char* file;
    const char* says;
    std::function<void(const std::string&)> damage;
  };
  const auto log = [](const char* statement) {
    return [=](const std::string& w) { change(w + "/pipelines/turning/log.db", statement); };
  };
  const auto rows = [](const char* statement) {
    return [=](const std::string& w) { change(w + "/pipelines/turning/rows.db", statement); };
  };
  const auto registry = [](const char* statement) {
    return [=](const std::string& w) { change(w + "/registry.db", statement); };
  };
  const std::vector<Kind> kinds = {
      {"artifacts/", "is damaged: its", [](const auto& w) { flip_byte(artifact_of(w), 9); }},
      {"artifacts/", "there is no such artifact",
       [](const auto& w) { fs::remove(artifact_of(w)); }},
      {"pipelines/turning/log.db", "[0, ",
       log("UPDATE batches SET payload = zeroblob(length(payload)) WHERE first = 0")},
      {"pipelines/turning/log.db", "expected position 0",
       log("DELETE FROM batches WHERE first = 0")},
      {"pipelines/turning/log.db", "counters say 6001", log("UPDATE counters SET accepted = 6001")},
      {"pipelines/turning/log.db", "its checkpoint stands at 6000",
       log("DELETE FROM batches WHERE first = (SELECT max(first) FROM batches)")},
      {"pipelines/turning/rows.db", "does not match its hash",
       rows("UPDATE chunks SET payload = zeroblob(length(payload)) WHERE number = 2")},
      {"pipelines/turning/rows.db", "chunk 2 of series",
       rows("DELETE FROM chunks WHERE number = 2")},
      {"pipelines/turning/rows.db", "its checkpoint stands at",
       rows("DELETE FROM chunks WHERE number >= 5")},
      {"pipelines/turning/outbox.json", "found no mark of what was published",
       [](const auto& w) { std::ofstream(w + "/pipelines/turning/outbox.json") << "{}"; }},
      {"registry.db", "is damaged: its bytes don't match",
       registry("UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = "
                "(SELECT max(number) FROM checkpoints)")},
      {"registry.db", "a row of table revisions refers to one of versions",
       registry("PRAGMA foreign_keys=OFF; DELETE FROM versions WHERE number = 1")},
      {"registry.db", "damaged", [](const auto& w) { fs::resize_file(w + "/registry.db", 9000); }},
  };
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(fmt::format("{}: {}", kind.file, kind.says));
    kind.damage(copied("damaged"));
    const Outcome outcome = check("damaged");
    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr(kind.says));
    const json first = outcome.json()["damage"].at(0);
    EXPECT_THAT(first["file"].get<std::string>(), HasSubstr(kind.file));
    EXPECT_FALSE(first["advice"].get<std::string>().empty());
    const Outcome refused = backup("damaged", "of-damaged");
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr(kind.file));
    expect_nothing_at("of-damaged");
  }
}

TEST_F(WorkspaceCommands, AnotherFormatIsRefusedNamingBoth) {
  for (const auto& [file, own] :
       std::vector<std::pair<std::string, int>>{{"registry.db", 2},
                                                {"pipelines/turning/log.db", 3},
                                                {"pipelines/turning/rows.db", 3},
                                                {"pipelines/turning/backtests.db", 1}}) {
    SCOPED_TRACE(file);
    const std::string workspace = copied("foreign");
    {
      SQLite::Database database(workspace + "/" + file,
                                SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      database.exec("PRAGMA user_version = 99");
    }
    const Outcome outcome = check("foreign");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.out, HasSubstr("format 99"));
    EXPECT_THAT(outcome.out, HasSubstr(fmt::format("format {}", own)));
    EXPECT_THAT(outcome.json()["damage"][0]["advice"], "use the build that wrote it");
  }
}

TEST_F(WorkspaceCommands, WhatNobodyNeedsIsNotedAndLeftOut) {
  const std::string workspace = copied("littered");
  std::ofstream(workspace + "/artifacts/" + std::string(64, 'a')) << "orphan";
  const Outcome outcome = check("littered");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.json()["notes"].dump(), HasSubstr("1 files of 6 bytes"));
  ASSERT_EQ(backup("littered", "tidy").code, 0);
  EXPECT_FALSE(fs::exists(path("tidy/artifacts/") + std::string(64, 'a')));
  EXPECT_FALSE(fs::exists(path("tidy/lock")));
}

TEST_F(WorkspaceCommands, ARestoredRunGoesOnAndEndsAsOneThatWasNeverDisturbed) {
  const std::vector<std::string> lines = turning_csv(kEvents);
  const std::string growing = scratch_->write("growing.csv", joined(lines, 0, 3501));
  ASSERT_EQ(freshet_program(run("first", growing)).code, 0);
  scratch_->write("first/pipelines/turning/outbox.json",
                  R"({"format": 1, "decisions": 1, "predictions": 7})");
  const json made = backup("first", "halfway").json();
  EXPECT_EQ(made["pipelines"][0]["position"], 3500);
  EXPECT_GT(made["bytes"], 100'000);
  const json restored = restore("halfway", "second").json();
  EXPECT_EQ(restored["pipelines"], made["pipelines"]);
  EXPECT_EQ(check("second").code, 0);
  std::ifstream published(path("second/pipelines/turning/outbox.json"));
  EXPECT_EQ(json::parse(published)["predictions"], 7);
  scratch_->write("growing.csv", joined(lines, 0, lines.size()));
  const Outcome outcome = freshet_program(run("second", growing));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(fingerprint_of(path("second")).dump(2), reference_.dump(2));
}

TEST_F(WorkspaceCommands, ABackupUnderLoadRestoresAndGoesOn) {
  const std::string config = scratch_->write("served.json", served_config());
  constexpr std::size_t kMost = 20'000;  // more than any machine takes until the first is made
  const std::vector<std::string> events = served_events(kMost);
  ServedProgram served(config + " -w " + path("served"));
  std::atomic<std::size_t> sent = 0;
  std::jthread client([&](const std::stop_token& stop) {
    for (int status = 200; sent < kMost && status == 200 && !stop.stop_requested();) {
      const Reply reply = served.post(kPipeline + "/events", joined(events, sent, sent + 20));
      status = reply.status;
      ASSERT_EQ(status, 200) << reply.body;
      sent += 20;
      ::usleep(2000);
    }
  });
  std::vector<json> made;
  while (sent < 2500 && !HasFailure()) ::usleep(1000);
  while (made.size() < 3 && sent < kMost && !HasFailure()) {
    const std::size_t before = sent;
    const std::string name = fmt::format("under-load{}", made.size());
    const Outcome outcome = backup("served", name);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    made.push_back(outcome.json());
    EXPECT_TRUE(made.size() > 1 || sent > before) << "no load while it was copied";
    EXPECT_GE(made.back()["pipelines"][0]["head"], before) << "an acknowledged event is missing";
    EXPECT_EQ(check(name).code, 0);
    EXPECT_EQ(freshet_program("workspace check -w " + path("served")).code, 0);
  }
  client.request_stop();
  client.join();
  ASSERT_FALSE(HasFailure());
  settled(served, sent);
  ASSERT_EQ(served.stop().code, 0);

  ASSERT_FALSE(made.empty());
  ASSERT_EQ(restore("under-load0", "restored").code, 0);
  struct stat token {};
  ASSERT_EQ(::stat(path("restored/token").c_str(), &token), 0);
  EXPECT_EQ(token.st_mode & 0777U, 0600U);
  ServedProgram again(config + " -w " + path("restored"));
  EXPECT_EQ(again.token(), served.token());
  const auto head = made.front()["pipelines"][0]["head"].get<std::size_t>();
  ASSERT_EQ(again.post(kPipeline + "/events", joined(events, head, sent)).status, 200);
  settled(again, sent);
  ASSERT_EQ(again.stop().code, 0);
  EXPECT_EQ(fingerprint_of(path("restored")).dump(2), fingerprint_of(path("served")).dump(2));
}

TEST_F(WorkspaceCommands, AKillLeavesNoFolderThatIsNotWhole) {
  const std::string line = "workspace backup -w " + path("reference") + " --to " + path("killed");
  int whole = 0;
  for (const int milliseconds : {4, 8, 12, 16, 20, 25, 30, 40}) {
    start_and_kill(line, milliseconds);
    if (!fs::exists(path("killed"))) continue;
    ++whole;
    EXPECT_EQ(check("killed").code, 0);
    fs::remove_all(path("killed"));
  }
  EXPECT_LT(whole, 8) << "none was killed in time";
  ASSERT_EQ(freshet_program(line).code, 0);
  EXPECT_FALSE(fs::exists(path("killed.part")));
  EXPECT_EQ(check("killed").code, 0);
}

TEST_F(WorkspaceCommands, FoldersThatWontDoAreNamed) {
  ASSERT_EQ(backup("reference", "good").code, 0);
  const auto refused = [&](const Outcome& outcome, const std::string& says) {
    EXPECT_EQ(outcome.code, 1) << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr(says));
  };
  refused(backup("reference", "good"), "is no empty folder");
  refused(restore("good", "reference"), "is no empty folder");
  refused(restore("nowhere", "new"), "there is no workspace");
  refused(backup("nowhere", "new"), "there is no workspace");
  refused(check("nowhere"), "there is no workspace");
  refused(backup("reference", "config.json"), "is no empty folder");
  refused(backup("reference", "no/such/parent"), path("no/such/parent"));
  fs::create_directory(path("taken.part"));
  std::ofstream(path("taken.part/mine.txt")) << "mine";
  refused(backup("reference", "taken"), "is in the way");
  EXPECT_TRUE(fs::exists(path("taken.part/mine.txt")));
  fs::create_directory(path("empty"));
  EXPECT_EQ(backup("reference", "empty").code, 0);
  expect_nothing_at("new");
}

TEST_F(WorkspaceCommands, AFullDiskOrAFolderThatCannotBeWrittenToLeavesNothing) {
  for (const std::string blocks : {"100", "700", "2000"}) {
    SCOPED_TRACE(blocks + " blocks of 512 bytes a file");
    const Outcome full = backup("reference", "full", "ulimit -f " + blocks + ";");
    EXPECT_EQ(full.code, 1);
    EXPECT_THAT(full.err, HasSubstr(path("full")));
    expect_nothing_at("full");
  }
  fs::create_directory(path("locked"));
  fs::permissions(path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  const std::string nobody =
      ::geteuid() == 0 ? "setpriv --bounding-set -all --inh-caps -all " : std::string();
  const Outcome locked = backup("reference", "locked/backup", nobody);
  fs::permissions(path("locked"), fs::perms::owner_all);
  EXPECT_EQ(locked.code, 1);
  EXPECT_THAT(locked.err, HasSubstr(path("locked/backup")));
}

// As on a medium that is read-only.
TEST_F(WorkspaceCommands, ABackupThatCannotBeWrittenToIsRestored) {
  ASSERT_EQ(backup("reference", "medium").code, 0);
  const auto seal = [&](fs::perms add, fs::perms remove) {
    for (const auto& entry : fs::recursive_directory_iterator(path("medium"))) {
      fs::permissions(entry.path(), add, fs::perm_options::add);
      fs::permissions(entry.path(), remove, fs::perm_options::remove);
    }
    fs::permissions(path("medium"), add, fs::perm_options::add);
    fs::permissions(path("medium"), remove, fs::perm_options::remove);
  };
  seal(fs::perms::none, fs::perms::owner_write);
  const std::string nobody =
      ::geteuid() == 0 ? "setpriv --bounding-set -all --inh-caps -all " : std::string();
  const Outcome outcome = freshet_program(
      "workspace restore --from " + path("medium") + " -w " + path("from-medium"), nobody);
  seal(fs::perms::owner_write, fs::perms::none);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("to go on"));
  EXPECT_EQ(freshet_program(run("from-medium", csv_)).code, 0);
  EXPECT_EQ(fingerprint_of(path("from-medium")).dump(2), reference_.dump(2));
}

}  // namespace
}  // namespace freshet
