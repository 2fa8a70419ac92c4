// Consumer groups of a real Apache Kafka: partitions come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "kafka/fixture.h"

namespace freshet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class Group : public Kafka {
 protected:
  KafkaInput member() const {
    KafkaInput member = input();
    member.group = "group-" + topic_;
    member.settings.push_back({"session.timeout.ms", "6000", KafkaSetting::From::config});
    member.settings.push_back({"heartbeat.interval.ms", "300", KafkaSetting::From::config});
    return member;
  }

  /// All parts' numbers of several logs, and how many records those logs hold.
  std::vector<std::vector<int>> united(const std::vector<EventLog*>& logs, std::size_t& records) {
    std::vector<std::vector<int>> all(4);
    records = 0;
    for (const EventLog* log : logs) {
      const auto parts = numbers_in(*log, schema_, 4);
      for (std::size_t part = 0; part < 4; ++part) {
        EXPECT_TRUE(std::is_sorted(parts[part].begin(), parts[part].end()));
        all[part].insert(all[part].end(), parts[part].begin(), parts[part].end());
        records += parts[part].size();
      }
    }
    for (auto& numbers : all) std::sort(numbers.begin(), numbers.end());
    return all;
  }
};

TEST_F(Group, TwoLogsTogetherHoldEachRecordOnceAsAMemberJoinsAndLeaves) {
  broker_->create_topic(topic_, 4);
  const auto produce_all = [&](int begin, int end) {
    for (int part = 0; part < 4; ++part) produce(part, begin, end);
  };
  produce_all(0, 100);
  Reading first(folder_.path("first"), schema_, member());
  ASSERT_TRUE(first.follow([&] { return first.log().counts().accepted >= 400; }));
  auto second = std::make_unique<Reading>(folder_.path("second"), schema_, member());
  // Both read, in turns, while more comes, until the second has its share.
  int end = 100;
  const auto both_read = [&] {
    first.step();
    return first.log().head() + second->log().counts().accepted >= static_cast<unsigned>(4 * end);
  };
  for (int round = 0; round < 60 && second->log().counts().accepted < 400; ++round) {
    produce_all(end, end + 50);
    end += 50;
    ASSERT_TRUE(second->follow(both_read));
  }
  const std::uint64_t of_second = second->log().counts().accepted;
  second->leave();
  EXPECT_EQ(second->synced(), second->log().head())
      << "the group was told of what a power cut may take";
  second.reset();
  produce_all(end, end + 50);
  end += 50;
  ASSERT_TRUE(first.follow(
      [&] { return first.log().counts().accepted + of_second >= static_cast<unsigned>(4 * end); }));
  const auto reader = EventLog::open_reader(folder_.path("second"));
  std::size_t records = 0;
  const auto all = united({&first.log(), reader.get()}, records);
  EXPECT_EQ(records, static_cast<unsigned>(4 * end));
  for (const auto& numbers : all) EXPECT_THAT(numbers, ElementsAreArray(counting(end)));
  EXPECT_GE(of_second, 400U);
  EXPECT_THAT(first.notices(), testing::Contains(HasSubstr("were read by another member")));
}

TEST_F(Group, AMemberWhosePlaceIsTakenSaysSoAndEnds) {
  broker_->create_topic(topic_, 2);
  produce(0, 0, 100);
  KafkaInput placed = member();
  placed.settings.push_back({"group.instance.id", "one", KafkaSetting::From::config});
  Reading first(folder_.path("first"), schema_, placed);
  ASSERT_TRUE(first.follow([&] { return first.log().counts().accepted >= 100; }));
  Reading second(folder_.path("second"), schema_, placed);
  std::string why;
  const auto is_told = [&] {
    try {
      first.step();
    } catch (const Error& error) {
      why = error.what();
    }
    return !why.empty();
  };
  ASSERT_TRUE(second.follow(is_told));
  EXPECT_THAT(why, AllOf(HasSubstr("group.instance.id"), HasSubstr("nothing more is read")));
}

TEST_F(Group, AMemberLeavesABrokerThatHangsAndSaysWhatThatMeans) {
  broker_->create_topic(topic_, 2);
  produce(0, 0, 100);
  Reading reading(folder_.path("log"), schema_, member());
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 100; }));
  broker_->pause();
  reading.leave();
  broker_->resume();
  EXPECT_THAT(reading.notices(),
              testing::Contains(HasSubstr("another member may read some of it again")));
}

TEST_F(Group, AMemberThatWasSilentForTooLongJoinsAnewWithEachRecordOnce) {
  broker_->create_topic(topic_, 2);
  produce(0, 0, 300);
  KafkaInput slow = member();
  slow.settings.push_back({"max.poll.interval.ms", "6000", KafkaSetting::From::config});
  Reading reading(folder_.path("log"), schema_, slow);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 100; }));
  std::this_thread::sleep_for(std::chrono::seconds(8));
  produce(1, 0, 300);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 600; }));
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2),
              testing::ElementsAre(counting(300), counting(300)));
  EXPECT_THAT(reading.notices(), testing::Contains(HasSubstr("poll interval")));
}

}  // namespace
}  // namespace freshet
