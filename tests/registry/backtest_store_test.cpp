#include "registry/backtest_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class BacktestStoreTest : public FolderTest {
 protected:
  static BacktestRecord record(const std::string& id, const std::string& status) {
    return {id, 5, 3, status, R"({"verdict":")" + status + "\"}", std::string("a\0b", 3)};
  }
  std::string file() const { return path("backtests.db"); }
};

TEST_F(BacktestStoreTest, WhatWasPutIsFoundAndTheSameIdTakesItsPlace) {
  {
    const auto store = BacktestStore::open(file());
    store->put(record("x", "running"));
    store->put(record("x", "promote"));
    store->put(record("y", "reject"));
  }
  const auto store = BacktestStore::open_reader(file());
  ASSERT_THAT(store->list(), SizeIs(2));
  EXPECT_TRUE(store->list().front().state.empty()) << "a list carries no state";
  const auto found = store->find("x");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->status, "promote");
  EXPECT_EQ(found->state, std::string("a\0b", 3));
  EXPECT_EQ(found->candidate, 5U);
  EXPECT_FALSE(store->find("z"));
}

TEST_F(BacktestStoreTest, AChangedStateIsNeverGoneOnFrom) {
  const auto store = BacktestStore::open(file());
  store->put(record("x", "running"));
  SQLite::Database(file(), SQLite::OPEN_READWRITE).exec("UPDATE backtests SET state=x'00'");
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { store->find("x"); }), HasSubstr("delete"));
}

TEST_F(BacktestStoreTest, AReaderMakesNothing) {
  error_of(ErrorKind::not_found, [&] { BacktestStore::open_reader(file()); });
  EXPECT_FALSE(std::filesystem::exists(file()));
}

}  // namespace
}  // namespace freshet
