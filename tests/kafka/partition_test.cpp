// Where partitions begin, what they hold back and what of them is stored, against librdkafka's mock
// brokers: two, each leading one of the topic's two partitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "kafka/broker.h"
#include "kafka/mock_cluster.h"
#include "kafka/reading.h"
#include "scenario/program.h"
#include "stream/error.h"
#include "stream/log_folder.h"

namespace freshet {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Millis kBegin = 1'700'000'000'000;

class Partitions : public MockCluster {
 protected:
  Partitions() : MockCluster(2, "t", 2) {
    rd_kafka_mock_partition_set_leader(cluster_, "t", 0, 1);
    rd_kafka_mock_partition_set_leader(cluster_, "t", 1, 2);
    schema_.out_of_orderness = 0;
  }

  KafkaInput member() const {
    KafkaInput it = input();
    it.group = "g";
    it.settings.push_back({"session.timeout.ms", "3000", KafkaSetting::From::config});
    it.settings.push_back({"heartbeat.interval.ms", "300", KafkaSetting::From::config});
    return it;
  }
  KafkaInput idle_after(Millis time) const {
    KafkaInput it = input();
    it.idle_after = time;
    return it;
  }
  KafkaInput from_offsets(const std::vector<KafkaOffset>& offsets) const {
    KafkaInput it = input();
    it.start.at = KafkaStart::At::offsets;
    it.start.offsets = offsets;
    return it;
  }
  /// Records `begin` to `end` of a partition, a minute apart.
  void produce(int part, int begin, int end) const {
    std::vector<Produced> records;
    for (int n = begin; n < end; ++n) {
      records.push_back({part, numbered(part, n, kBegin + n * kMinute)});
    }
    Producer(address()).send("t", records);
  }
  static bool follow_for(Reading& reading, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    return reading.follow([&] { return std::chrono::steady_clock::now() > end; });
  }
  Event last(Reading& reading) const {
    EventLog& log = reading.log();
    Event event;
    log.read(log.head() - 1, log.head(), [&](std::uint64_t, std::string_view bytes) {
      decode(bytes, schema_, event);
      return true;
    });
    event.id = {};  // it viewed the log
    return event;
  }
  std::uintmax_t largest_file() const {
    std::uintmax_t largest = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_.path(""))) {
      if (file.is_regular_file()) largest = std::max(largest, file.file_size());
    }
    return largest;
  }

  ScratchFolder folder_;
  Schema schema_ = numbered_schema();
};

TEST_F(Partitions, OfAGroupAreNotCommittedBeyondWhatTheLogTook) {
  schema_.out_of_orderness = kDay;
  produce(0, 0, 3000);
  produce(1, 0, 3000);
  {
    Reading reading(folder_.path("log"), schema_, member());
    ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 1000; }));
    const FileSizeLimit full(largest_file() + 1);
    EXPECT_THROW(reading.follow([] { return false; }), Error);
  }
  Reading again(folder_.path("log"), schema_, member());
  EXPECT_LT(again.log().counts().accepted, 6000U);
  ASSERT_TRUE(again.follow([&] { return again.log().counts().accepted >= 6000; }));
  EXPECT_THAT(numbers_in(again.log(), schema_, 2), ElementsAre(counting(3000), counting(3000)));
  EXPECT_THAT(again.notices(), Each(Not(HasSubstr("were read by another member"))));
}

TEST_F(Partitions, AreCommittedToTheirGroupAsFarAsTheLogTookThem) {
  schema_.out_of_orderness = kDay;
  produce(0, 0, 100);
  produce(1, 0, 100);
  {
    Reading reading(folder_.path("log"), schema_, member());
    ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 200; }));
  }
  produce(0, 100, 110);
  Reading other(folder_.path("other"), schema_, member());
  ASSERT_TRUE(other.follow([&] { return other.log().counts().accepted >= 10; }));
  EXPECT_EQ(other.log().counts().accepted, 10U);
}

TEST_F(Partitions, GoNoFurtherByARecordThatIsRefused) {
  produce(0, 0, 10);
  produce(1, 0, 10);
  {
    Reading before(folder_.path("log"), schema_, idle_after(kMinute));
    ASSERT_TRUE(before.follow([&] { return before.log().counts().accepted == 20; }));
  }
  Producer(address()).send("t", {{0, numbered(0, 0, kBegin + 80 * 365 * kDay)}});
  {
    Reading refusing(folder_.path("log"), schema_, idle_after(kMinute));
    ASSERT_TRUE(refusing.follow([&] { return refusing.log().counts().dead_letters == 1; }));
  }
  Reading reading(folder_.path("log"), schema_, idle_after(kMinute));
  produce(1, 10, 20);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 30; }));
  EXPECT_EQ(last(reading).reached, (TimeReached{kBegin + 9 * kMinute, kBegin + 19 * kMinute}));
  produce(0, 10, 20);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 40; }));
  EXPECT_EQ(reading.log().counts().late, 0U);
}

TEST_F(Partitions, WhoseBrokerIsAwayHoldEventTime) {
  produce(0, 0, 60);
  produce(1, 0, 60);
  rd_kafka_mock_broker_set_down(cluster_, 2);
  Reading reading(folder_.path("log"), schema_, idle_after(1500));
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 60; }));
  produce(0, 60, 61);
  ASSERT_TRUE(follow_for(reading, std::chrono::milliseconds(4500)));
  EXPECT_EQ(reading.log().counts().accepted, 61U);
  EXPECT_EQ(last(reading).reached->all, Watermark::kNone);
  EXPECT_THAT(reading.state().trouble, Not(IsEmpty()));
  rd_kafka_mock_broker_set_up(cluster_, 2);
  ASSERT_TRUE(reading.follow(
      [&] { return reading.log().counts().accepted + reading.log().counts().late == 121; }));
  EXPECT_EQ(reading.log().counts().late, 0U);
  ASSERT_TRUE(reading.follow([&] { return reading.state().trouble.empty(); }));
  ASSERT_TRUE(reading.follow([&] { return last(reading).kind == RecordKind::time; }));
}

TEST_F(Partitions, ThatWereSilentHoldEventTimeOnceTheirBrokerGoes) {
  produce(0, 0, 10);
  produce(1, 0, 1);
  Reading reading(folder_.path("log"), schema_, idle_after(1500));
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 12; }));
  EXPECT_EQ(last(reading).kind, RecordKind::time);
  rd_kafka_mock_broker_set_down(cluster_, 2);
  ASSERT_TRUE(follow_for(reading, std::chrono::milliseconds(3000)));
  EXPECT_THAT(reading.state().trouble, Not(IsEmpty()));
  produce(0, 10, 20);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 21; }));
  rd_kafka_mock_broker_set_up(cluster_, 2);
  produce(1, 12, 20);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 29; }));
  EXPECT_EQ(reading.log().counts().late, 0U);
}

TEST_F(Partitions, SayErrorsThatStandInThePlaceOfRecordsOnce) {
  produce(0, 0, 10);
  produce(1, 0, 10);
  const auto error = RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
  rd_kafka_mock_push_request_errors(cluster_, 1 /* Fetch */, 4, error, error, error, error);
  Reading reading(folder_.path("log"), schema_, input());
  ASSERT_TRUE(reading.follow([&] { return !reading.notices().empty(); }));
  EXPECT_THAT(reading.state().trouble, HasSubstr("topic t, partition "));
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 20; }));
  EXPECT_EQ(reading.state().trouble, "");
  EXPECT_THAT(reading.notices(), Each(AllOf(HasSubstr("Kafka topic t, partition "),
                                            HasSubstr("olicy"), HasSubstr("trying again"))));
  EXPECT_LE(reading.notices().size(), 2U);
}

TEST_F(Partitions, ThatAreAddedByNameBeginAtTheOffsetTheyAreGiven) {
  schema_.out_of_orderness = kDay;
  produce(0, 0, 60);
  produce(1, 0, 60);
  Reading reading(folder_.path("log"), schema_, from_offsets({{"0", 0}}));
  reading.input().partitions = {0};
  reading.drain();
  reading.input().partitions = {0, 1};
  reading.input().start.offsets = {{"0", 3}, {"1", 50}};
  reading.drain();
  const auto numbers = numbers_in(reading.log(), schema_, 2);
  EXPECT_EQ(numbers[0], counting(60));
  ASSERT_THAT(numbers[1], testing::SizeIs(10));
  EXPECT_EQ(numbers[1].front(), 50);
}

TEST_F(Partitions, BeginAtTheLatestAllOfThemOrNone) {
  produce(0, 0, 10);
  produce(1, 0, 10);
  KafkaInput latest = input();
  latest.start.at = KafkaStart::At::latest;
  rd_kafka_mock_broker_set_down(cluster_, 2);
  {
    Reading killed(folder_.path("log"), schema_, latest);
    ASSERT_TRUE(follow_for(killed, std::chrono::milliseconds(1500)));
    EXPECT_THAT(killed.log().all_progress(), IsEmpty());
  }
  rd_kafka_mock_broker_set_up(cluster_, 2);
  Reading reading(folder_.path("log"), schema_, latest);
  ASSERT_TRUE(reading.follow([&] { return !reading.log().all_progress().empty(); }));
  EXPECT_THAT(reading.log().all_progress(), testing::SizeIs(2));
  produce(0, 10, 15);
  produce(1, 10, 15);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 10; }));
  const std::vector<int> added = {10, 11, 12, 13, 14};
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2), ElementsAre(added, added));
}

TEST_F(Partitions, OffsetsThatCannotBeAreRefusedBeforeAnythingIsStored) {
  produce(0, 0, 10);
  Reading reading(folder_.path("log"), schema_, from_offsets({{"0", 9'999'999}}));
  EXPECT_THAT(reading.refusal(),
              AllOf(HasSubstr("topic t, partition 0: stream.source.start names offset 9999999"),
                    HasSubstr("from 0, where it begins, to 10, where it ends")));
  reading.input() = from_offsets({{"7", 5}});
  EXPECT_THAT(reading.refusal(),
              HasSubstr("stream.source.start: offsets names partition 7, of Kafka topic t "
                        "partitions 0, 1 are read"));
  reading.input() = from_offsets({{"1", 0}});
  reading.input().partitions = {0};
  EXPECT_THAT(reading.refusal(), HasSubstr("offsets names partition 1"));
  rd_kafka_mock_topic_create(cluster_, "labels", 1, 1);
  reading.input() = from_offsets({{"0", 0}});
  reading.input().label_topic = "labels";
  reading.input().start.label_offsets = {{"3", 0}};
  EXPECT_THAT(reading.refusal(),
              HasSubstr("label_offsets names partition 3, of Kafka topic labels"));
  EXPECT_THAT(reading.log().all_progress(), IsEmpty());
  reading.input() = from_offsets({{"0", 4}});
  reading.drain();
  EXPECT_EQ(reading.log().counts().accepted, 6U);
}

}  // namespace
}  // namespace freshet
