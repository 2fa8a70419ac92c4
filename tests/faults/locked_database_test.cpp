// Another program locks a database: what needs it waits 5 s, then says so and stops; what it had
// promised is there, and it goes on after.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "faults/clients.h"
#include "faults/fault_test.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kDatabases = {"pipelines/turning/log.db",
                                             "pipelines/turning/rows.db", "registry.db"};

/// Holds a database locked for a while: of a write-ahead log the writers wait, else readers too.
class Locker {
 public:
  Locker(const std::string& file, int milliseconds)
      : database_(file, SQLite::OPEN_READWRITE, 60'000) {
    database_.exec("BEGIN EXCLUSIVE");
    thread_ = std::thread([this, milliseconds] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      database_.exec("ROLLBACK");
    });
  }
  ~Locker() { wait(); }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  SQLite::Database database_;
  std::thread thread_;
};

class LockedDatabase : public FaultTest {
 protected:
  static void SetUpTestSuite() {
    FaultTest::SetUpTestSuite();
    const std::string some = write("some.jsonl", joined(events(), 0, 5000));
    const Outcome outcome = freshet_program(arguments("base", some));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    rest_ = write("rest.jsonl", joined(events(), 5000, kEvents));
  }

  static inline std::string rest_;
};

TEST_F(LockedDatabase, IsWaitedForByARunOrNamed) {
  Tally tally("a database locked by another, run");
  KeyedGenerator draw(fault_seed(), 7);
  std::size_t stopped = 0;
  for (const int milliseconds : is_long() ? std::vector{1000, 3000, 30'000} : std::vector{1000}) {
    for (const std::string& database : kDatabases) {
      SCOPED_TRACE(fmt::format("{} for {} ms", database, milliseconds));
      copied(path("base"), "w");
      RunningProgram program(arguments("w", rest_));
      program.ends_within(static_cast<int>(draw.below(400)));
      Locker locker(path("w/" + database), milliseconds);
      const Outcome outcome = program.end();
      locker.wait();
      if (outcome.code == 0) {
        tally.add(judged(config(), path("w"), ids()));
        continue;
      }
      ++stopped;
      EXPECT_GT(milliseconds, 5000) << outcome.err;
      EXPECT_THAT(outcome.err, HasSubstr("locked by another process for over 5 s"));
      EXPECT_THAT(outcome.err, HasSubstr(path("w")));
      tally.add(gone_on("w", rest_));
    }
  }
  EXPECT_TRUE(stopped > 0 || !is_long()) << "no lock was met";
  tally.note(fmt::format("{} stopped the run", stopped));
}

TEST_F(LockedDatabase, IsWaitedForByAServiceOrItTakesNoMore) {
  Tally tally("a database locked by another, serve");
  for (const int milliseconds : is_long() ? std::vector{1000, 30'000} : std::vector{1000}) {
    for (const std::string& database : kDatabases) {
      if (!is_long() && database != kDatabases.front()) continue;
      SCOPED_TRACE(fmt::format("{} for {} ms", database, milliseconds));
      copied(path("base"), "w");
      const std::string arguments = config() + " -w " + path("w");
      Clients clients(events(), 20);
      {
        ServedProgram served(arguments);
        clients.call(served);
        for (int i = 0; i < 20'000 && clients.acknowledged_count() == 0; ++i) ::usleep(1000);
        Locker locker(path("w/" + database), milliseconds);
        ::usleep(200'000);
        EXPECT_FALSE(database == kDatabases.front() && clients.done()) << "the lock was not met";
        locker.wait();
        clients.done_within(milliseconds > 5000 ? 100 : 30'000);
        clients.hang_up();
        served.stop();
      }
      ServedProgram served(arguments);
      clients.call(served);
      EXPECT_TRUE(clients.done_within(60'000));
      clients.hang_up();
      settled(served, kEvents);
      EXPECT_EQ(served.stop().code, 0);
      tally.add(judged(config(), path("w"), clients.acknowledged()));
    }
  }
}

TEST_F(LockedDatabase, AtTheEndOfAServiceIsAFailure) {
  Tally tally("a database locked by another at the end");
  copied(path("base"), "w");
  const std::string arguments = config() + " -w " + path("w");
  Clients clients(events(), 20);
  {
    ServedProgram served(arguments);
    clients.call(served);
    EXPECT_TRUE(clients.done_within(60'000));
    clients.hang_up();
    settled(served, kEvents);
    Locker locker(path("w/registry.db"), 12'000);
    const Outcome outcome = served.stop();
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("locked by another process for over 5 s"));
  }
  ServedProgram served(arguments);
  settled(served, kEvents);
  EXPECT_EQ(served.stop().code, 0);
  tally.add(judged(config(), path("w"), clients.acknowledged()));
}

}  // namespace
}  // namespace freshet
