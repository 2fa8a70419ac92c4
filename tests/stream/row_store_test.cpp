#include "stream/row_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "stream/error.h"

namespace freshet {
namespace {

class RowStoreOnDisk : public ::testing::Test {
 protected:
  RowStoreOnDisk()
      : path_((std::filesystem::temp_directory_path() /
               ("rows-" + std::to_string(::getpid()) + ".db"))
                  .string()) {
    remove();
  }
  ~RowStoreOnDisk() override { remove(); }

  std::unique_ptr<RowStore> open() const { return RowStore::open(path_, {{"features", 2}}); }

  /// Asks questions until there are `end`, answers each, and makes a row of every second one.
  static void fill(RowStore& store, std::uint64_t end) {
    for (std::uint64_t q = store.questions(); q < end; ++q) {
      const auto x = static_cast<float>(q);
      const std::array<float, 2> vector = {x, -x};
      const std::array<std::span<const float>, 1> columns = {vector};
      store.ask(q * 3, static_cast<Millis>(q) * 1000, columns);
      const std::array<float, 1> answer = {x / 2};
      if (q >= 100) store.answer("served", 1, q, answer);
      if (q % 2 == 1) store.add_row({q, x, q * 3 + 1});
    }
  }

  void remove() const {
    for (const char* end : {"", "-journal"}) std::filesystem::remove(path_ + end);
  }

  const std::string path_;
};

TEST_F(RowStoreOnDisk, RewrittenVectorsTakeThePlaceOfTheOldOnes) {
  const std::array<float, 2> erased = {0.5F, 0.5F};
  const std::array<std::span<const float>, 1> columns = {erased};
  std::vector<Millis> times;
  const auto vectors_of = [&](Millis time) {
    times.push_back(time);
    return std::span<const std::span<const float>>(columns);
  };
  // Dropped, in a chunk that is still there; whole; of no question; in the half-filled chunk.
  const std::vector<std::uint64_t> positions = {3 * 1030, 3 * 2000, 3 * 2000 + 1, 3 * 2999};
  {
    const auto store = open();
    fill(*store, 3000);
    store->flush();
    store->sync();
    store->drop(1040, 100);
    EXPECT_EQ(store->rewrite(positions, vectors_of), (std::vector<std::uint64_t>{2000, 2999}));
    EXPECT_EQ(times, (std::vector<Millis>{1'030'000, 2'000'000, 2'999'000}));
    fill(*store, 3100);
    store->flush();
    store->sync();
  }
  const auto store = open();
  EXPECT_TRUE(store->verify().empty());
  std::array<float, 6> read{};
  store->read_vectors(0, 1999, 2002, read.data());
  EXPECT_EQ(read, (std::array<float, 6>{1999, -1999, 0.5F, 0.5F, 2001, -2001}));
  store->read_vectors(0, 2998, 3001, read.data());
  EXPECT_EQ(read, (std::array<float, 6>{2998, -2998, 0.5F, 0.5F, 3000, -3000}));
}

TEST_F(RowStoreOnDisk, ReadsWhatWasCommittedBesideAWriterThatDiedInACommit) {
  {
    const auto store = open();
    fill(*store, 3000);
    store->flush();
    store->sync();
  }
  const std::string dead = path_ + "-dead";
  {
    SQLite::Database writer(path_, SQLite::OPEN_READWRITE);
    writer.exec("PRAGMA journal_mode=TRUNCATE");
    writer.exec("PRAGMA cache_size=1");  // spills: the file changes before the commit
    writer.exec("BEGIN; UPDATE chunks SET payload = zeroblob(100000)");
    for (const char* end : {"", "-journal"}) {
      std::filesystem::copy_file(path_ + end, dead + end);
    }
  }
  ASSERT_GT(std::filesystem::file_size(dead + "-journal"), 0U);
  {
    const auto reader = RowStore::open_reader(dead);
    EXPECT_EQ(reader->questions(), 3000U);
    EXPECT_TRUE(reader->verify().empty());
  }
  for (const char* end : {"", "-journal"}) std::filesystem::remove(dead + end);
}

TEST_F(RowStoreOnDisk, ReadsBackAcrossChunksFlushedOrNot) {
  const auto store = open();
  fill(*store, 5000);
  std::vector<float> vectors(2 * 3000);
  store->read_vectors(0, 1500, 4500, vectors.data());
  EXPECT_EQ(vectors[0], 1500.0F);
  EXPECT_EQ(vectors.back(), -4499.0F);
  EXPECT_EQ(store->answered("served"), (std::pair<std::uint64_t, std::uint64_t>{100, 5000}));
  std::vector<float> answers(4900);
  store->read_answers("served", 100, 5000, answers.data());
  EXPECT_EQ(answers[0], 50.0F);
  EXPECT_EQ(answers.back(), 4999.0F / 2);
  EXPECT_EQ(store->row(1234).question, 2469U);
  EXPECT_EQ(store->position(4321), 4321U * 3);
  std::vector<float> rows(4);
  store->read_row_vectors(0, 10, 12, rows.data());
  EXPECT_EQ(rows[0], 21.0F);
  EXPECT_EQ(rows[2], 23.0F);
}

TEST_F(RowStoreOnDisk, AColumnAddedLaterIsAskedForWhatTheFileDoesNotHoldOfIt) {
  std::uint64_t asked = 0;
  const auto vector_of = [&](std::uint64_t question, std::span<float> out) {
    ++asked;
    for (float& value : out) value = static_cast<float>(question) + 0.5F;
  };
  std::string hash;
  {
    const auto store = open();
    fill(*store, 1500);
    hash = store->content_hash();
    store->add_column({"added", 3}, 0, vector_of);
    EXPECT_EQ(asked, 1500U);
    EXPECT_EQ(store->column("added"), 1U);
    EXPECT_NE(store->content_hash(), hash);
    store->flush();
    store->sync();
  }
  {
    const auto reader = RowStore::open_reader(path_);
    std::vector<float> vectors(6);
    reader->read_vectors(reader->column("added"), 1023, 1025, vectors.data());
    EXPECT_EQ(vectors, (std::vector<float>{1023.5F, 1023.5F, 1023.5F, 1024.5F, 1024.5F, 1024.5F}));
    EXPECT_THROW(static_cast<void>(reader->column("another")), Error);
  }
  // Opened without it, as after a crash before anything used it: then it falls behind.
  const auto store = open();
  fill(*store, 1600);
  EXPECT_THROW(static_cast<void>(store->column("added")), Error);
  asked = 0;
  const auto fails = [](std::uint64_t, std::span<float>) { throw Error(ErrorKind::corrupt, ""); };
  EXPECT_THROW(store->add_column({"added", 3}, 0, fails), Error);
  EXPECT_EQ(store->columns().size(), 1U);
  store->add_column({"added", 3}, 0, vector_of);
  EXPECT_EQ(asked, 100U);
  store->cut(0, 0);
  EXPECT_EQ(store->columns().size(), 2U);
}

TEST_F(RowStoreOnDisk, ReopenedItHoldsWhatWasFlushed) {
  {
    const auto store = open();
    fill(*store, 3333);
    store->flush();
    store->sync();
  }
  const auto store = open();
  EXPECT_EQ(store->questions(), 3333U);
  EXPECT_EQ(store->rows(), 1666U);
  fill(*store, 4000);
  const auto other = RowStore::open(":memory:", {{"features", 2}});
  fill(*other, 4000);
  EXPECT_EQ(store->content_hash(), other->content_hash());
}

TEST_F(RowStoreOnDisk, CutBackItGoesOnAsIfNeverLonger) {
  const auto store = open();
  fill(*store, 5000);
  store->flush();
  store->sync();
  store->cut(2500, 1250);
  EXPECT_EQ(store->questions(), 2500U);
  EXPECT_EQ(store->answered("served").second, 2500U);
  fill(*store, 3000);
  const auto other = RowStore::open(":memory:", {{"features", 2}});
  fill(*other, 3000);
  EXPECT_EQ(store->content_hash(), other->content_hash());
  store->cut(50, 25);
  EXPECT_EQ(store->answered("served"), (std::pair<std::uint64_t, std::uint64_t>{0, 0}));
}

TEST_F(RowStoreOnDisk, AReaderSeesWhatWasFlushedWhileTheWriterGoesOn) {
  const auto store = open();
  fill(*store, 2000);
  store->flush();
  store->sync();
  const auto reader = RowStore::open_reader(path_);
  fill(*store, 4000);
  std::vector<float> vectors(2);
  reader->read_vectors(0, 1999, 2000, vectors.data());
  EXPECT_EQ(vectors[0], 1999.0F);
}

TEST_F(RowStoreOnDisk, ACopyHoldsWhatTheStoreHeldThen) {
  const auto store = open();
  fill(*store, 5000);
  store->flush();
  store->sync();
  const std::string copy = path_ + "-copy";
  RowStore::copy(path_, copy, 3000, 1200);
  store->cut(3000, 1200);
  EXPECT_EQ(RowStore::open_reader(copy)->content_hash(), store->content_hash());
  EXPECT_TRUE(RowStore::open_reader(copy)->verify().empty());
  std::filesystem::remove(copy);
}

TEST_F(RowStoreOnDisk, ACopyAndAVerificationHoldTheWriterUpForAMomentAtMost) {
  using Clock = std::chrono::steady_clock;
  const auto store = open();
  fill(*store, 200'000);
  store->flush();
  store->sync();
  std::atomic<bool> over = false;
  const std::string copy = path_ + "-copy";
  int copies = 0;
  std::thread copying([&] {
    while (!over) {
      std::filesystem::remove(copy);
      RowStore::copy(path_, copy, 200'000, 100'000);
      EXPECT_TRUE(RowStore::open_reader(path_)->verify().empty());
      ++copies;
    }
  });
  Clock::duration worst{};
  for (std::uint64_t end = 200'500; end < 210'000; end += 500) {
    fill(*store, end);
    const auto begin = Clock::now();
    store->flush();
    store->sync();
    worst = std::max(worst, Clock::now() - begin);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  over = true;
  copying.join();
  std::filesystem::remove(copy);
  EXPECT_GT(copies, 0);
  EXPECT_LT(worst, std::chrono::seconds(1));
}

TEST_F(RowStoreOnDisk, DamageIsNamedAndNeverRead) {
  {
    const auto store = open();
    fill(*store, 3000);
    store->flush();
    store->sync();
  }
  {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec(
        "UPDATE chunks SET payload = zeroblob(length(payload)) WHERE number = 1 AND series = "
        "(SELECT id FROM series WHERE name LIKE 'vectors%')");
  }
  const auto store = open();
  ASSERT_EQ(store->verify().size(), 1U);
  EXPECT_NE(store->verify().front().find("chunk 1"), std::string::npos);
  std::vector<float> vectors(2);
  EXPECT_THROW(store->read_vectors(0, 1500, 1501, vectors.data()), Error);
}

TEST(RowStore, ThereIsNoReaderOfNothing) {
  EXPECT_THROW(RowStore::open_reader("/nonexistent/rows.db"), Error);
}

TEST_F(RowStoreOnDisk, ACutStoreThatDiesBeforeTheNextFlushKeepsWhatWasBelowTheCut) {
  {
    const auto store = open();
    fill(*store, 1500);
    store->flush();
    store->sync();
  }
  { open()->cut(1200, 590); }
  const auto store = open();
  EXPECT_EQ(store->questions(), 1200U);
  EXPECT_EQ(store->rows(), 590U);
  std::array<float, 2> last{};
  store->read_vectors(0, 1199, 1200, last.data());
  EXPECT_EQ(last[0], 1199.0F);
}

}  // namespace
}  // namespace freshet
