// The Kafka source against librdkafka's mock brokers: those that vanish, are slow, or none.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "kafka/broker.h"
#include "kafka/mock_cluster.h"
#include "kafka/reading.h"
#include "scenario/program.h"
#include "stream/error.h"

namespace freshet {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Millis kBegin = 1'700'000'000'000;

class MockKafka : public MockCluster {
 protected:
  MockKafka() : MockCluster(1, "t", 2) {}

  void produce(int begin, int end) const {
    std::vector<Produced> records;
    for (int n = begin; n < end; ++n) {
      for (int part = 0; part < 2; ++part) {
        records.push_back({part, numbered(part, n, kBegin + n * kSecond)});
      }
    }
    Producer(address()).send("t", records);
  }

  ScratchFolder folder_;
  const Schema schema_ = numbered_schema();
};

TEST_F(MockKafka, ABrokerThatVanishesIsWaitedFor) {
  produce(0, 300);
  Reading reading(folder_.path("log"), schema_, input());
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 600; }));
  for (int round = 1; round <= 2; ++round) {
    rd_kafka_mock_broker_set_down(cluster_, 1);
    ASSERT_TRUE(reading.follow([&] { return reading.notices().size() % 2 == 1; }));
    rd_kafka_mock_broker_set_up(cluster_, 1);
    produce(300 * round, 300 * (round + 1));
    ASSERT_TRUE(reading.follow([&] {
      return reading.log().counts().accepted >= 600U * static_cast<unsigned>(round + 1);
    }));
  }
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2), ElementsAre(counting(900), counting(900)));
}

TEST_F(MockKafka, ABrokerThatIsSlowOrFailsIsAskedAgain) {
  produce(0, 200);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, 300);
  rd_kafka_mock_push_request_errors(cluster_, 1 /* Fetch */, 4,
                                    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TRANSPORT,
                                    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
  Reading reading(folder_.path("log"), schema_, input());
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 400; }));
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2), ElementsAre(counting(200), counting(200)));
}

TEST_F(MockKafka, AnotherWriterOfTheSameLogIsNoticed) {
  produce(0, 10);
  Reading reading(folder_.path("log"), schema_, input());
  Reading other(folder_.path("log"), schema_, input());
  reading.drain();
  EXPECT_THROW(other.drain(), Error);
  EXPECT_EQ(reading.log().head(), 20U);
}

TEST_F(MockKafka, ASilentPartitionHoldsTheOthersNoLongerThanIdleAfter) {
  std::vector<Produced> records;
  for (int n = 0; n < 50; ++n) records.push_back({0, numbered(0, n, kBegin + n * kSecond)});
  Producer(address()).send("t", records);
  // Partition 1 has a leader that is not there: nobody knows where it ends.
  rd_kafka_mock_partition_set_leader(cluster_, "t", 1, -1);
  KafkaInput patient = input();
  patient.idle_after = 1500;
  Reading reading(folder_.path("log"), schema_, patient);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 50; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1400));
}

class IdlePartition : public MockKafka {
 protected:
  /// Partition 1 has come to the beginning, partition 0 ten minutes further.
  void produce_apart() const {
    std::vector<Produced> records = {{1, numbered(1, 0, kBegin)}};
    for (int n = 0; n < 10; ++n) records.push_back({0, numbered(0, n, kBegin + n * kMinute)});
    Producer(address()).send("t", records);
  }
  void produce_behind() const {
    Producer(address()).send("t", {{1, numbered(1, 1, kBegin + 5 * kMinute)}});
  }
  KafkaInput idle_after(Millis time) const {
    KafkaInput it = input();
    it.idle_after = time;
    return it;
  }
  Event last(const Reading& reading, std::uint64_t back) const {
    EventLog& log = const_cast<Reading&>(reading).log();
    Event event;
    log.read(log.head() - back, log.head() - back + 1, [&](std::uint64_t, std::string_view bytes) {
      decode(bytes, schema_, event);
      return true;
    });
    event.id = {};  // it viewed the log
    return event;
  }
  static Schema strict() {
    Schema schema = numbered_schema();
    schema.out_of_orderness = 0;
    return schema;
  }
};

TEST_F(IdlePartition, ThatIsNotSilentForLongEnoughMakesNothingLate) {
  produce_apart();
  Reading reading(folder_.path("log"), strict(), idle_after(kMinute));
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 11; }));
  EXPECT_EQ(last(reading, 1).reached, (TimeReached{kBegin, kBegin + 9 * kMinute}));
  produce_behind();
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 12; }));
  EXPECT_EQ(last(reading, 1).reached, (TimeReached{kBegin + 5 * kMinute, kBegin + 9 * kMinute}));
  EXPECT_EQ(reading.log().counts().late, 0U);
}

TEST_F(IdlePartition, ThatIsSilentIsAMarkerAndCountsAgainWhenItComesBack) {
  produce_apart();
  Reading reading(folder_.path("log"), strict(), idle_after(1000));
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 12; }));
  const Event marker = last(reading, 1);
  EXPECT_EQ(marker.kind, RecordKind::time);
  EXPECT_EQ(marker.time, kBegin + 9 * kMinute);
  EXPECT_EQ(reading.log().counts().accepted, 11U);
  produce_behind();
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().late == 1; }));
  Producer producer(address());
  producer.send("t", {{1, numbered(1, 2, kBegin + 9 * kMinute)}});
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 13; }));
  producer.send("t", {{0, numbered(0, 10, kBegin + 20 * kMinute)}});
  ASSERT_TRUE(reading.follow([&] { return reading.log().head() == 14; }));
  EXPECT_EQ(last(reading, 1).reached, (TimeReached{kBegin + 9 * kMinute, kBegin + 20 * kMinute}));
}

TEST_F(IdlePartition, HasComeAsFarAfterARestartAsBefore) {
  produce_apart();
  produce_behind();
  {
    Reading before(folder_.path("log"), strict(), idle_after(kMinute));
    ASSERT_TRUE(before.follow([&] { return before.log().head() == 12; }));
  }
  Reading reading(folder_.path("log"), strict(), idle_after(kMinute));
  Producer(address()).send("t", {{1, numbered(1, 2, kBegin + 8 * kMinute)}});
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted == 13; }));
  EXPECT_EQ(last(reading, 1).reached, (TimeReached{kBegin + 8 * kMinute, kBegin + 9 * kMinute}));
}

TEST_F(IdlePartition, ThatHasEndedIsAMarkerToo) {
  produce_apart();
  Reading reading(folder_.path("log"), strict(), idle_after(kMinute));
  reading.drain();
  EXPECT_EQ(last(reading, 1).kind, RecordKind::event);  // it ended before partition 0 did
  EXPECT_EQ(last(reading, 1).reached, std::nullopt);
  reading.drain();
  EXPECT_EQ(reading.log().head(), 11U);
}

TEST(KafkaSource, WhatIsNoBrokerIsNamedWithTheReason) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  ::listen(listener, 8);
  std::jthread http([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const int client = ::accept(listener, nullptr, nullptr);
      if (client < 0) return;
      const timeval patience{5, 0};
      ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      std::array<char, 1024> request{};
      [[maybe_unused]] auto count = ::read(client, request.data(), request.size());
      const std::string_view answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
      count = ::write(client, answer.data(), answer.size());
      while (::read(client, request.data(), request.size()) > 0) {  // until it has had enough
      }
      ::close(client);
    }
  });
  KafkaInput input;
  input.bootstrap = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  input.topic = "t";
  KafkaReading how;
  how.group = "test";
  how.give_up_after = std::chrono::seconds(2);
  std::vector<std::string> notices;
  how.notice = [&](const std::string& text) { notices.push_back(text); };
  const auto source = kafka_source(input, numbered_schema(), {}, how);
  class Nothing : public RecordSink {
    void event(const Event&, const Origin&) override {}
    void bad(const Origin&, const std::string&) override {}
  } nothing;
  try {
    while (source->poll(10, nothing) != PollStatus::ended) {
    }
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(input.bootstrap), HasSubstr("for 2 s"),
                                    HasSubstr("Receive failed")));
  }
  EXPECT_THAT(notices, Contains(AllOf(HasSubstr(input.bootstrap), HasSubstr("Receive failed"))));
  ::shutdown(listener, SHUT_RDWR);
  ::close(listener);
}

}  // namespace
}  // namespace freshet
