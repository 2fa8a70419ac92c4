#include "orchestrator/changes.h"

#include <gtest/gtest.h>

#include <thread>

namespace freshet {
namespace {

using std::chrono::milliseconds;

TEST(Changes, AreGivenInOrderAfterTheOneThatWasSeen) {
  Changes changes;
  const std::uint64_t start = changes.last();
  for (int i = 1; i <= 3; ++i) changes.publish(std::to_string(i));
  const auto news = changes.after(start + 1, milliseconds(0));
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].id, start + 2);
  EXPECT_EQ(news[1].data, "3");
  EXPECT_TRUE(changes.after(start + 3, milliseconds(0)).empty());
}

TEST(Changes, TheNewestThousandAreKept) {
  Changes changes;
  const std::uint64_t start = changes.last();
  for (int i = 0; i < 3000; ++i) changes.publish("x");
  EXPECT_EQ(changes.after(start + 5, milliseconds(0)).size(), 1024U);
  EXPECT_EQ(changes.last(), start + 3000);
}

TEST(Changes, AnIdFromBeforeARestartGetsAllThatIsKept) {
  const std::uint64_t before = Changes().last();
  std::this_thread::sleep_for(milliseconds(5));
  Changes changes;
  changes.publish("new");
  EXPECT_GT(changes.last(), before);
  EXPECT_EQ(changes.after(before, milliseconds(0)).size(), 1U);
}

TEST(Changes, AnIdThatWasNeverGivenWaitsForWhatIsNew) {
  Changes changes;
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    changes.publish("new");
  });
  const auto news = changes.after(changes.last() + 99, milliseconds(10'000));
  later.join();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].data, "new");
}

TEST(Changes, WhoWaitsIsWokenAtTheEnd) {
  Changes changes;
  std::thread later([&] { changes.close(); });
  EXPECT_TRUE(changes.after(0, milliseconds(60'000)).empty());
  later.join();
}

}  // namespace
}  // namespace freshet
