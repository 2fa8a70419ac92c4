// A person's data go while a service, clients, readers or a backup are at work.
#include <atomic>
#include <thread>

#include "scenario/erase_folder.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using EraseBeside = Erase;

TEST_F(EraseBeside, ARunningServiceErasesAndGoesOn) {
  copy("served");
  {
    ServedProgram served("-w " + path("served"));
    const Reply dry = served.post(kPipeline + "/erase", R"({"key":"zq-0","dry_run":true})");
    EXPECT_EQ(dry.json().at("figures").at("events"), 1) << dry.body;
    EXPECT_EQ(dry.json().at("decisions"), json::array());
    const Outcome outcome = freshet_program(kErase + path("served") + " --json");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("figures"), erased_.json().at("figures"));
    EXPECT_EQ(freshet_program(kErase + path("served")).code, 3);
    const Reply unknown = served.post(kPipeline + "/erase", R"({"key":"persn=x","reason":"r"})");
    EXPECT_EQ(unknown.status, 404) << unknown.body;
    EXPECT_THAT(unknown.body, HasSubstr("person"));
    const Reply event = served.post(kPipeline + "/events", persons_events().back());
    EXPECT_EQ(event.status, 200) << event.body;
    EXPECT_EQ(served.stop().code, 0);
  }
  EXPECT_THAT(holding("served", kPerson), ::testing::IsEmpty());
  EXPECT_EQ(freshet_program("workspace check -w " + path("served")).code, 0);
}

TEST_F(EraseBeside, WhatAReaderKeepsIsToldAndGoesOnceItIsDone) {
  copy("read");
  ServedProgram served("-w " + path("read"));
  {
    SQLite::Database reader(path("read/pipelines/turning/log.db"), SQLite::OPEN_READONLY);
    SQLite::Transaction moment(reader);
    reader.execAndGet("SELECT count(*) FROM batches");
    const Outcome erased = freshet_program(kErase + path("read") + " --json");
    ASSERT_EQ(erased.code, 0) << erased.err;
    EXPECT_THAT(erased.err, HasSubstr("log.db-wal"));
    EXPECT_THAT(erased.json().at("warning").get<std::string>(), HasSubstr("log.db-wal"));
    EXPECT_THAT(holding("read", kPerson), ::testing::Contains("log.db"));
  }
  for (int i = 0; i < 100 && !holding("read", kPerson).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(holding("read", kPerson), ::testing::IsEmpty()) << "while it serves";
}

TEST_F(EraseBeside, WhatIsAppendedMeanwhileIsTakenOnce) {
  copy("beside");
  std::vector<std::string> lines = served_events(kEvents + 300);
  std::atomic<bool> done = false;
  std::size_t sent = 0;
  {
    ServedProgram served("-w " + path("beside"));
    std::jthread client([&] {
      for (; sent < 300 && !(done && sent > 20); ++sent) {
        json event = json::parse(lines[kEvents + sent]);
        event["person"] = "late comer";
        EXPECT_EQ(served.post(kPipeline + "/events", event.dump()).status, 200);
      }
    });
    const Outcome outcome = freshet_program(kErase + path("beside") + " --json");
    done = true;
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("warning"), json());
    client.join();
    EXPECT_EQ(served.stop().code, 0);
  }
  EXPECT_THAT(holding("beside", kPerson), ::testing::IsEmpty());
  const json stats = freshet_program("events stats --json -w " + path("beside")).json();
  EXPECT_EQ(stats.at("accepted").get<std::size_t>(), kBefore - 1 + sent);
  EXPECT_EQ(freshet_program("workspace check -w " + path("beside")).code, 0);
}

TEST_F(EraseBeside, ABackupMeanwhileIsOfBeforeOrAfterIt) {
  constexpr int kErasures = 6;
  copy("backed-up");
  std::vector<std::string> backups;
  {
    ServedProgram served("-w " + path("backed-up"));
    std::atomic<bool> done = false;
    std::jthread operators([&] {
      for (int i = 0; i < kErasures; ++i) {
        const json request = {{"key", fmt::format("person=someone {}", i)}, {"reason", "r"}};
        EXPECT_EQ(served.post(kPipeline + "/erase", request.dump()).status, 200);
      }
      done = true;
    });
    for (bool last = false; !last;) {
      last = done;
      const std::string to = fmt::format("backup-{}", backups.size());
      const Outcome backup =
          freshet_program("workspace backup -w " + path("backed-up") + " --to " + path(to));
      if (backup.code == 0) {
        backups.push_back(to);
      } else {
        EXPECT_THAT(backup.err, HasSubstr("operators' commands kept coming"));
      }
    }
  }
  ASSERT_GE(backups.size(), 1U);
  for (const std::string& backup : backups) {
    ASSERT_EQ(freshet_program("workspace check -w " + path(backup)).code, 0);
    const Outcome run = freshet_program("run -w " + path(backup) + " -i " + path("again.jsonl"));
    ASSERT_EQ(run.code, 0) << run.err;
    const int erased = SQLite::Database(path(backup + "/registry.db"))
                           .execAndGet("SELECT count(*) FROM decisions WHERE kind = 'erased'")
                           .getInt();
    for (int i = 0; i < kErasures; ++i) {
      const auto found = holding(backup, fmt::format("someone {}", i));
      EXPECT_EQ(found.empty(), i < erased) << backup << ": " << i << " of " << erased;
    }
  }
}

}  // namespace
}  // namespace freshet
