#include "orchestrator/changes.h"

#include <gtest/gtest.h>

#include <thread>

namespace freshet {
namespace {

using std::chrono::milliseconds;

TEST(Changes, AreGivenInOrderAfterTheOneThatWasSeen) {
  Changes changes;
  for (int i = 1; i <= 3; ++i) changes.publish(std::to_string(i));
  const auto news = changes.after(1, milliseconds(0));
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].id, 2U);
  EXPECT_EQ(news[1].data, "3");
  EXPECT_TRUE(changes.after(3, milliseconds(0)).empty());
}

TEST(Changes, TheNewestThousandAreKept) {
  Changes changes;
  for (int i = 0; i < 3000; ++i) changes.publish("x");
  EXPECT_EQ(changes.after(5, milliseconds(0)).size(), 1024U);
  EXPECT_EQ(changes.last(), 3000U);
}

TEST(Changes, AnIdFromBeforeARestartWaitsForWhatIsNew) {
  Changes changes;
  changes.publish("old");
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    changes.publish("new");
  });
  const auto news = changes.after(99, milliseconds(10'000));
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
