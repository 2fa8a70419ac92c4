#include "stream/event_log.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/stream/log_folder.h"

namespace freshet {
namespace {

/// Record `position`: its number in words of differing length, as a label record's bytes.
std::string record_of(std::uint64_t position) {
  return "\x02record " + std::to_string(position) + std::string(position % 37, '.');
}

class EventLogTest : public LogFolderTest {
 protected:
  /// Appends the next `count` records, as one batch.
  static void append(EventLog& log, std::size_t count) {
    LogBatch batch;
    for (std::size_t i = 0; i < count; ++i) batch.records.push_back(record_of(log.head() + i));
    log.append(batch);
  }

  /// Expects records [begin, end) to be there as `append` made them.
  static void expect_records(const EventLog& log, std::uint64_t begin, std::uint64_t end) {
    std::uint64_t next = begin;
    log.read(begin, end, [&](std::uint64_t position, std::string_view record) {
      EXPECT_EQ(position, next++);
      EXPECT_EQ(record, record_of(position));
      return true;
    });
    EXPECT_EQ(next, end);
  }

  /// Writes a byte into the stored form of record `position`, behind the log's back.
  void damage(std::uint64_t position) {
    SQLite::Database(path(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    std::string bytes = file_bytes(path());
    const std::size_t at = bytes.find(record_of(position) + '\x01');
    const std::size_t found = at == std::string::npos ? bytes.find(record_of(position)) : at;
    ASSERT_NE(found, std::string::npos);
    bytes[found + 3] ^= '\x20';
    write_bytes(path(), bytes);
  }

  void change(const std::string& statement) {
    SQLite::Database(path(), SQLite::OPEN_READWRITE).exec(statement);
  }
};

TEST_F(EventLogTest, PositionsHaveNoGapsWhateverTheBatches) {
  const auto log = open();
  EXPECT_EQ(log->head(), 0U);
  for (const std::size_t count : {1U, 7U, 0U, 4096U, 9000U, 1U}) append(*log, count);
  EXPECT_EQ(log->head(), 13105U);
  expect_records(*log, 0, 13105);
  expect_records(*log, 4103, 4105);
  for (std::uint64_t begin = 0; begin < 13105; begin += 1009) {
    expect_records(*log, begin, std::min<std::uint64_t>(13105, begin + 1009));
  }
  EXPECT_EQ(SQLite::Database(path()).execAndGet("SELECT max(count) FROM batches").getInt(), 4096);
}

TEST_F(EventLogTest, ReadStopsWhenItIsTold) {
  const auto log = open();
  append(*log, 100);
  std::uint64_t calls = 0;
  log->read(10, 100, [&](std::uint64_t position, std::string_view) {
    ++calls;
    return position < 12;
  });
  EXPECT_EQ(calls, 3U);
  EXPECT_NE(
      error_of(ErrorKind::corrupt, [&] { log->read(99, 101, [](auto, auto) { return true; }); })
          .find("position 100"),
      std::string::npos);
}

TEST_F(EventLogTest, KeepsEverythingAcrossReopening) {
  const SourceProgress read = {"in.csv", "abc", 900, 12, "ff", "id,x"};
  LogBatch batch;
  batch.records = {record_of(0), "\x03the end"};
  batch.dead_letters = {{"in.csv", 3, std::string(9000, 'x'), "no time"}, {"in.csv", 5, "", "bad"}};
  batch.late = {{"in.csv", 4, std::string("a\0b", 3), "late"}};
  batch.duplicates = 6;
  batch.progress = {read};
  open()->append(batch);

  const auto log = open();
  EXPECT_EQ(log->head(), 2U);
  EXPECT_EQ(log->description(), "schema 1");
  EXPECT_EQ(log->counts(), (IngestCounts{1, 6, 1, 2})) << "the closing record is no event";
  EXPECT_EQ(log->ordinals(), 10U);
  EXPECT_EQ(log->progress("in.csv"), read);
  EXPECT_EQ(log->progress("other.csv"), std::nullopt);
  EXPECT_EQ(log->all_progress().size(), 1U);
  const auto dead = log->dead_letters(10);
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_EQ(dead[0].reason, "bad") << "newest first";
  EXPECT_EQ(dead[1].raw, std::string(4096, 'x'));
  EXPECT_EQ(dead[1].line, 3U);
  EXPECT_EQ(log->dead_letters(1).size(), 1U);
  ASSERT_EQ(log->late_events(10).size(), 1U);
  EXPECT_EQ(log->late_events(10)[0].raw, std::string("a\0b", 3));
}

TEST_F(EventLogTest, ContentHashIsIndependentOfBatches) {
  const auto hash_with = [&](std::size_t batch) {
    const std::string name = "batches_of_" + std::to_string(batch);
    const auto log = EventLog::open(path(name), "schema 1");
    while (log->head() < 5000) append(*log, std::min<std::size_t>(batch, 5000 - log->head()));
    return log->content_hash();
  };
  const std::string hash = hash_with(5000);
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(hash_with(127), hash);
  EXPECT_EQ(hash_with(4096), hash);
  const auto log = open();
  append(*log, 4999);
  EXPECT_NE(log->content_hash(), hash);
}

TEST_F(EventLogTest, AReaderFollowsTheWriter) {
  const auto log = open();
  const auto reader = EventLog::open_reader(path());
  EXPECT_EQ(reader->head(), 0U);
  append(*log, 10);
  EXPECT_EQ(reader->head(), 10U);
  std::uint64_t seen = 0;
  reader->read(0, 10, [&](std::uint64_t, std::string_view) {
    if (seen++ == 5) append(*log, 3);
    return true;
  });
  EXPECT_EQ(seen, 10U);
  expect_records(*reader, 0, 13);
  EXPECT_EQ(error_of(ErrorKind::unavailable,
                     [&] {
                       reader->append({{"\x02x"}, {}, {}, 0, {}, {}});
                     })
                .find(path()),
            0U);
}

TEST_F(EventLogTest, SurvivesAKillAtAnyMoment) {
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 4; ++round) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto log = open();
      for (;;) {
        append(*log, 50 + log->head() % 400);
        const std::uint64_t head = log->head();
        if (::write(ends[1], &head, sizeof head) != sizeof head) ::_exit(1);
      }
    }
    ::close(ends[1]);
    const std::uint64_t enough = acknowledged + 1000;
    while (acknowledged < enough &&
           ::read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {
    }
    ::close(ends[0]);
    const auto log = open();
    ASSERT_GE(log->head(), acknowledged);
    ASSERT_EQ(log->counts().accepted, log->head());
    ASSERT_TRUE(log->verify().empty());
    expect_records(*log, 0, log->head());
  }
}

TEST_F(EventLogTest, ADamagedBatchIsNamedWhenItIsRead) {
  for (int i = 0; i < 10; ++i) append(*open(), 100);
  damage(234);
  const auto log = open();
  expect_records(*log, 0, 200);
  expect_records(*log, 300, 1000);
  const std::string message = error_of(ErrorKind::corrupt, [&] { expect_records(*log, 250, 251); });
  EXPECT_NE(message.find("[200, 300)"), std::string::npos) << message;
  EXPECT_NE(message.find(path()), std::string::npos) << message;
  ASSERT_EQ(log->verify().size(), 1U);
  EXPECT_NE(log->verify()[0].find("[200, 300)"), std::string::npos);
}

TEST_F(EventLogTest, ADamagedLastBatchIsFoundOnOpen) {
  for (int i = 0; i < 10; ++i) append(*open(), 100);
  damage(934);
  const std::string message = error_of(ErrorKind::corrupt, [&] { open(); });
  EXPECT_NE(message.find("[900, 1000)"), std::string::npos) << message;
}

TEST_F(EventLogTest, AnyDamagedPlaceOfABatchIsFound) {
  append(*open(), 10);
  for (const char* statement :
       {"UPDATE batches SET count = 9", "UPDATE batches SET first = 1",
        "UPDATE batches SET hash = upper(hash)", "UPDATE batches SET payload = x''"}) {
    const std::string whole = file_bytes(path());
    change(statement);
    error_of(ErrorKind::corrupt, [&] { open(); });
    EXPECT_FALSE(EventLog::open_reader(path())->verify().empty()) << statement;
    write_bytes(path(), whole);
    EXPECT_TRUE(open()->verify().empty());
  }
}

TEST_F(EventLogTest, AMissingBatchIsFoundOnOpenIfItIsNewAndWhereItIsReadIfNot) {
  for (int i = 0; i < 10; ++i) append(*open(), 100);
  change("DELETE FROM batches WHERE first = 300");
  EXPECT_EQ(open()->head(), 1000U);
  const auto reader = EventLog::open_reader(path());
  EXPECT_NE(
      error_of(ErrorKind::corrupt, [&] { expect_records(*reader, 0, 1000); }).find("position 300"),
      std::string::npos);
  EXPECT_EQ(reader->verify().size(), 1U);
  change("DELETE FROM batches WHERE first = 700");
  const std::string message = error_of(ErrorKind::corrupt, [&] { open(); });
  EXPECT_NE(message.find("expected position 700"), std::string::npos) << message;
}

TEST_F(EventLogTest, KeepsIdsUntilAllOfAStretchAreTooOld) {
  const auto log = open();
  std::uint64_t end = 0;
  const auto add = [&](std::vector<Millis> times, Millis forget_before) {
    LogBatch batch;
    batch.records = {"\x02x"};
    batch.seen.emplace();
    batch.seen->end = ++end;
    batch.seen->max_time = times.empty() ? 50 : times.back();
    for (const Millis time : times) batch.seen->ids.push_back({{end, 7}, time});
    batch.forget_before = forget_before;
    log->append(batch);
  };
  const auto ends = [&] {
    std::vector<std::uint64_t> all;
    const auto reader = EventLog::open_reader(path());
    auto stretch = reader->seen_before(EventLog::kNewest);
    for (; stretch; stretch = reader->seen_before(stretch->end)) all.push_back(stretch->end);
    return all;
  };
  add({10, 20}, 0);
  add({30, 40}, 15);
  add({}, 15);
  EXPECT_EQ(ends(), (std::vector<std::uint64_t>{3, 2, 1}));
  EXPECT_EQ(log->seen_ids(), 4U);
  add({60}, 21);
  EXPECT_EQ(ends(), (std::vector<std::uint64_t>{4, 2}));
  change("UPDATE seen_ids SET max_time = max_time + 1 WHERE end = 2");
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { log->seen_before(3); }),
              testing::HasSubstr("below position 2"));
  EXPECT_EQ(log->verify().size(), 1U);
  change("UPDATE seen_ids SET max_time = max_time - 1, newest = 1 WHERE end = 2");
  EXPECT_EQ(log->verify().size(), 1U) << "it would be forgotten too early";
}

TEST_F(EventLogTest, KeepsTheNewestHundredThousandLettersAndCountsAll) {
  const auto log = open();
  LogBatch batch;
  batch.dead_letters.assign(100'005, {"a.jsonl", 1, "x", "no event", 0});
  log->append(batch);
  EXPECT_EQ(log->dead_letters(200'000).size(), 100'000U);
  EXPECT_EQ(log->dead_letters(1).front().number, 100'005U);
  EXPECT_EQ(log->counts().dead_letters, 100'005U);
  EXPECT_EQ(log->verify().size(), 0U);
}

TEST_F(EventLogTest, RefusesWhatIsNoLogOfItsOwn) {
  error_of(ErrorKind::not_found, [&] { EventLog::open_reader(path()); });
  append(*open(), 1);
  error_of(ErrorKind::conflict, [&] { EventLog::open(path(), "schema 2"); });
  change("PRAGMA user_version = 9");
  EXPECT_NE(error_of(ErrorKind::conflict, [&] { open(); }).find("format 9"), std::string::npos);

  write_bytes(path("text"), std::string(9000, 'x'));
  error_of(ErrorKind::corrupt, [&] { EventLog::open(path("text"), "schema 1"); });
  SQLite::Database(path("other"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE t (x)");
  error_of(ErrorKind::corrupt, [&] { EventLog::open(path("other"), "schema 1"); });
  error_of(ErrorKind::unavailable, [&] { EventLog::open(path("no/folder"), "schema 1"); });
}

TEST_F(EventLogTest, ASecondWriterIsRefused) {
  const auto first = open();
  const auto second = open();
  append(*first, 5);
  error_of(ErrorKind::conflict, [&] { append(*second, 5); });
  append(*first, 5);
  expect_records(*first, 0, 10);
}

TEST_F(EventLogTest, AWriterWaitsForABriefLock) {
  const auto log = open();
  SQLite::Database other(path(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    other.exec("ROLLBACK");
  });
  append(*log, 5);
  release.join();
  expect_records(*log, 0, 5);
}

TEST_F(EventLogTest, AFullDiskAddsNothingAndGoesOnOnceThereIsRoom) {
  const auto log = open();
  append(*log, 100);
  {
    const FileSizeLimit full(200'000);
    LogBatch batch;
    batch.records.assign(100, std::string("\x02") + std::string(10'000, 'x'));
    error_of(ErrorKind::unavailable, [&] { log->append(batch); });
    EXPECT_EQ(log->head(), 100U);
  }
  append(*log, 100);
  expect_records(*log, 0, 200);
  EXPECT_EQ(log->counts().accepted, 200U);
  expect_records(*open(), 0, 200);
}

TEST_F(EventLogTest, IsReadFromAFolderThatCannotBeWrittenTo) {
  append(*open(), 10);
  std::filesystem::permissions(path(), std::filesystem::perms{0444});
  std::filesystem::permissions(folder_, std::filesystem::perms{0555});
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(9);
    std::uint64_t seen = 0;
    try {
      EventLog::open_reader(path())->read(0, 10, [&](auto, auto) { return ++seen > 0; });
      open();
    } catch (const Error& error) {
      ::_exit(error.kind() == ErrorKind::unavailable && seen == 10 ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::filesystem::permissions(folder_, std::filesystem::perms{0755});
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace freshet
