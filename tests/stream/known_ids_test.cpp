#include "stream/known_ids.h"

#include "stream/sqlite.h"
#include "tests/stream/log_folder.h"

namespace freshet {
namespace {

using KnownIdsTest = LogFolderTest;

constexpr std::uint64_t kStretches = 50;
constexpr std::uint64_t kEach = 4096;

IdHash id_of(std::uint64_t number) { return {number, number * 0x9E3779B97F4A7C15ULL}; }

// An id's time is its number.
void store_ids(EventLog& log) {
  for (std::uint64_t i = 0; i < kStretches; ++i) {
    LogBatch batch;
    batch.records = {"\x02x"};
    batch.seen.emplace();
    batch.seen->end = i + 1;
    for (std::uint64_t k = i * kEach; k < (i + 1) * kEach; ++k) {
      batch.seen->ids.push_back({id_of(k), static_cast<Millis>(k)});
    }
    log.append(batch);
  }
}

TEST_F(KnownIdsTest, KnowsTheStoredOnesWhileTheyAreReadAndAfter) {
  const auto log = open();
  store_ids(*log);
  KnownIds ids(*log, 0);
  for (std::uint64_t k = 0; k < kStretches * kEach; ++k) {
    ASSERT_TRUE(ids.known(id_of(k), static_cast<Millis>(k))) << k;
    ASSERT_FALSE(ids.known(id_of(k), static_cast<Millis>(k) + 1)) << "past the horizon: " << k;
  }
  EXPECT_FALSE(ids.known(id_of(kStretches * kEach), 0));
}

TEST_F(KnownIdsTest, KnowsWhatWasRememberedBeforeTheStoredOnesWereRead) {
  const auto log = open();
  store_ids(*log);
  KnownIds ids(*log, 0);
  ids.remember(id_of(1'000'000), 5, 0);
  ids.remember(id_of(7), 1'000'000, 0);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ids.known(id_of(1'000'000), 5));
    ASSERT_FALSE(ids.known(id_of(1'000'000), 6));
    ASSERT_TRUE(ids.known(id_of(7), 1'000'000)) << "the newest event with it counts";
    ASSERT_TRUE(ids.known(id_of(8), 8));
    ASSERT_FALSE(ids.known(id_of(2'000'000), 0));
  }
}

TEST_F(KnownIdsTest, SaysEachTimeThatAStretchIsDamaged) {
  const auto log = open();
  store_ids(*log);
  SQLite::Database(path(), SQLite::OPEN_READWRITE)
      .exec("UPDATE seen_ids SET max_time = max_time + 1 WHERE end = 1");
  KnownIds ids(*log, 0);
  for (int i = 0; i < 20; ++i) {
    error_of(ErrorKind::corrupt, [&] { ids.known(id_of(1'000'000), 0); });
  }
}

TEST_F(KnownIdsTest, EndsWhileTheStoredOnesAreRead) {
  const auto log = open();
  store_ids(*log);
  for (int i = 0; i < 20; ++i) KnownIds(*log, 0);
}

}  // namespace
}  // namespace freshet
