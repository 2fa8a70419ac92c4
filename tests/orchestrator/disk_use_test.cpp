#include "orchestrator/disk_use.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::HasSubstr;

class DiskUseTest : public FolderTest {
 protected:
  void write(const std::string& name, std::size_t bytes) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << std::string(bytes, 'x');
  }
};

TEST_F(DiskUseTest, CountsEachKindWithWhatSqliteKeepsBesideIt) {
  write("w/registry.db", 100);
  write("w/registry.db-wal", 20);
  write("w/artifacts/abc", 7);
  write("w/pipelines/p/log.db", 1000);
  write("w/pipelines/p/log.db-wal", 50);
  write("w/pipelines/q/log.db", 5);
  write("w/pipelines/p/rows.db", 300);
  write("w/token", 3);
  const DiskUse use = disk_use(path("w"));
  EXPECT_EQ(use.bytes.at("registry"), 120U);
  EXPECT_EQ(use.bytes.at("artifacts"), 7U);
  EXPECT_EQ(use.bytes.at("log"), 1055U);
  EXPECT_EQ(use.bytes.at("rows"), 300U);
  EXPECT_EQ(use.bytes.at("backtests"), 0U);
  EXPECT_EQ(use.total(), 1485U);
  EXPECT_GT(use.size_bytes, use.free_bytes);
}

TEST(RoomWarning, ComesBelowAGibibyteATwentiethOrTheLastHoursGrowth) {
  constexpr std::uint64_t kGibibyte = 1ULL << 30U;
  DiskUse use;
  use.size_bytes = 100 * kGibibyte;
  use.free_bytes = kGibibyte;
  EXPECT_EQ(room_warning("w", use, 0), "");
  use.free_bytes = kGibibyte - 1;
  EXPECT_THAT(room_warning("w", use, 0), HasSubstr("only 1.1 GB are free"));
  use.free_bytes = 5 * kGibibyte;
  EXPECT_EQ(room_warning("w", use, 5 * kGibibyte), "");
  EXPECT_THAT(room_warning("w", use, 6 * kGibibyte), HasSubstr("grew by 6.4 GB"));
  use.size_bytes = 2 * kGibibyte;
  use.free_bytes = kGibibyte / 8;
  EXPECT_EQ(room_warning("w", use, 0), "");
  use.free_bytes = kGibibyte / 11;
  EXPECT_NE(room_warning("w", use, 0), "");
}

TEST_F(DiskUseTest, TheWatchKnowsTheGrowthOfTheLastHour) {
  write("w/pipelines/p/log.db", 1000);
  DiskWatch watch(path("w"));
  const auto start = DiskWatch::Clock::now();
  EXPECT_EQ(watch.state(start).growth_bytes, 0U);
  write("w/pipelines/p/log.db", 5000);
  EXPECT_EQ(watch.state(start + std::chrono::seconds(5)).growth_bytes, 0U) << "too soon to look";
  EXPECT_EQ(watch.state(start + std::chrono::minutes(30)).growth_bytes, 4000U);
  write("w/pipelines/p/log.db", 5500);
  EXPECT_EQ(watch.state(start + std::chrono::minutes(80)).growth_bytes, 500U);
}

}  // namespace
}  // namespace freshet
