// What is published, against librdkafka's mock brokers and none.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "kafka/mock_cluster.h"
#include "kafka/reading.h"
#include "scenario/service.h"
#include "stream/kafka_client.h"
#include "stream/kafka_sink.h"

namespace freshet {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using From = KafkaSetting::From;

TEST(Acknowledged, CountsUpToTheFirstThatIsMissing) {
  Acknowledged numbers;
  EXPECT_EQ(numbers.end(), 0U);
  for (const std::uint64_t number : {99, 100, 101, 110}) numbers.offer(number);
  numbers.hear(99);
  EXPECT_EQ(numbers.end(), 99U);
  numbers.hear(101);  // of a partition that was added
  numbers.hear(110);
  EXPECT_EQ(numbers.end(), 99U);
  numbers.hear(100);
  EXPECT_EQ(numbers.end(), 110U);
}

TEST(KafkaSink, IsFullUntilSomethingIsHeardOf) {
  KafkaSink sink({"127.0.0.1:1", "d", "", {{"queue.buffering.max.messages", "10", From::config}}},
                 "p", nullptr);
  std::uint64_t number = 0;
  while (sink.offer({"d", "k", "v", {}, number + 1})) ++number;
  EXPECT_EQ(number, 10U);
  EXPECT_TRUE(sink.full());
  EXPECT_EQ(sink.failure(), "");
}

TEST(KafkaSink, ARecordThatFitsNoQueueIsAFailure) {
  KafkaSink sink({"127.0.0.1:1", "d", "", {{"queue.buffering.max.kbytes", "1", From::config}}}, "p",
                 nullptr);
  EXPECT_FALSE(sink.offer({"d", "k", std::string(2000, 'x'), {}, 1}));
  EXPECT_THAT(sink.failure(), AllOf(HasSubstr("record k"), HasSubstr("Queue full")));
}

class MockSink : public MockCluster {
 protected:
  MockSink() : MockCluster(1, "d", 1) {}

  void refuse_next() const {
    rd_kafka_mock_push_request_errors(cluster_, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  }

  /// The keys of a topic's only partition, in order, and the values.
  std::vector<std::string> keys(std::vector<std::string>* values = nullptr) const {
    KafkaInput input;
    input.bootstrap = address();
    KafkaClient client(input, "reader", nullptr);
    client.assign({{"d", 0, KafkaPartition::kEarliest}});
    std::vector<std::string> keys;
    for (int tries = 0; tries < 300; ++tries) {
      std::vector<KafkaMessage> read;
      client.read(0, read);
      for (const KafkaMessage& message : read) {
        if (message.kind() == KafkaMessage::Kind::end) return keys;
        if (message.kind() != KafkaMessage::Kind::record) continue;
        keys.emplace_back(message.key());
        if (values != nullptr) values->emplace_back(message.value());
      }
      client.wait(milliseconds(50));
      client.serve();
    }
    ADD_FAILURE() << "topic d has no end";
    return keys;
  }

  ScratchFolder folder_;
};

TEST_F(MockSink, NothingOvertakesARecordThatIsRefused) {
  const KafkaOutput output{
      address(),
      "d",
      "",
      {{"batch.num.messages", "1", From::config}, {"linger.ms", "0", From::config}}};
  const auto offer = [](KafkaSink& sink, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t number = begin; number < end; ++number) {
      ASSERT_TRUE(sink.offer({"d", std::to_string(number), "v", {}, number}));
    }
    // After a failure for a while longer: what follows it must not be sent then.
    for (int tries = 0; tries < 600 && sink.on_their_way() > 0; ++tries) {
      sink.serve(milliseconds(50));
      if (!sink.failure().empty() && tries < 560) tries = 560;
    }
  };
  {
    KafkaSink sink(output, "p", nullptr);
    offer(sink, 1, 2);
    EXPECT_EQ(sink.delivered("d"), 1U);
    refuse_next();
    rd_kafka_mock_broker_set_rtt(cluster_, 1, 500);  // all are offered before it is heard of
    offer(sink, 2, 50);
    rd_kafka_mock_broker_set_rtt(cluster_, 1, 0);
    EXPECT_EQ(sink.delivered("d"), 1U);
    EXPECT_EQ(sink.failure(), "topic d, record 2: Broker: Message size too large");
    EXPECT_FALSE(sink.offer({"d", "50", "v", {}, 50}));
  }
  EXPECT_THAT(keys(), testing::AnyOf(ElementsAre("1"), ElementsAre("1", "3")));
  KafkaSink next(output, "p", nullptr);
  offer(next, 2, 4);
  EXPECT_EQ(next.delivered("d"), 3U);
  EXPECT_THAT(keys(), testing::AnyOf(ElementsAre("1", "2", "3"), ElementsAre("1", "3", "2", "3")));
}

json sinks(const ServedProgram& server) {
  return server.get(kPipeline + "/stream").json().at("sinks");
}

void push(const ServedProgram& server, const std::vector<std::string>& events) {
  const std::size_t count = events.size();
  for (std::size_t at = 0; at < count; at += 1000) {
    const Reply reply =
        server.post(kPipeline + "/events", joined(events, at, std::min(count, at + 1000)),
                    {{"Content-Type", "application/x-ndjson"}});
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  settled(server, count);
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST_F(MockSink, TheServerGoesOnFromWhatWasDeliveredAfterARefusal) {
  constexpr std::size_t kEvents = 4000;
  json config = json::parse(served_config());
  config["sink"] = {
      {"bootstrap", address()}, {"predictions", "d"}, {"kafka", {{"batch.num.messages", "100"}}}};
  refuse_next();
  ServedProgram server(folder_.write("c.json", config.dump()) + " -w " + folder_.path("w"));
  push(server, served_events(kEvents));
  json state;
  for (int tries = 0; tries < 300 && state["delivered"] != kEvents; ++tries) {
    ::usleep(100'000);
    state = sinks(server)[0];
  }
  EXPECT_EQ(state["delivered"], kEvents) << state.dump();
  const Outcome ended = server.stop();
  EXPECT_EQ(ended.code, 0);
  const std::uint64_t first = first_answered(folder_.path("w"));
  ASSERT_LT(first, kEvents);
  EXPECT_THAT(ended.err, HasSubstr(fmt::format("Kafka sink: topic d, record turning/prediction/{}: "
                                               "Broker: Message size too large; trying again",
                                               first)));
  std::vector<std::string> expected;
  for (std::uint64_t n = first; n < kEvents; ++n) {
    expected.push_back(fmt::format("turning/prediction/{}", n));
  }
  const std::vector<std::string> all = keys();  // first what was on its way behind it
  EXPECT_EQ(std::vector(std::find(all.begin(), all.end(), expected[0]), all.end()), expected);
}

TEST_F(MockSink, WhatIsErasedWhileItWaitsIsNotPublished) {
  constexpr std::size_t kEvents = 4000;
  json config = json::parse(served_config());
  config["stream"]["event"]["fields"]["person"] = "category";
  config["sink"] = {{"bootstrap", address()}, {"predictions", "d"}};
  rd_kafka_mock_broker_set_down(cluster_, 1);
  ServedProgram server(folder_.write("c.json", config.dump()) + " -w " + folder_.path("w"));
  std::vector<std::string> events = served_events(kEvents);
  json theirs = json::parse(events[3900]);
  theirs["person"] = "Zebulon Quux";
  const std::string id = theirs["id"];
  events[3900] = theirs.dump();
  push(server, events);
  for (int tries = 0; tries < 100 && sinks(server)[0]["waiting"] < kEvents; ++tries) {
    ::usleep(50'000);
  }
  ::usleep(500'000);  // until it has been read and waits for the broker
  const Outcome erased = freshet_program("events erase --key 'person=Zebulon Quux' --reason r -w " +
                                         folder_.path("w"));
  ASSERT_EQ(erased.code, 0) << erased.err;
  rd_kafka_mock_broker_set_up(cluster_, 1);
  for (int tries = 0; tries < 300 && sinks(server)[0]["delivered"] != kEvents; ++tries) {
    ::usleep(100'000);
  }
  EXPECT_EQ(server.stop().code, 0);
  std::vector<std::string> values;
  keys(&values);
  EXPECT_THAT(values, testing::Contains(HasSubstr("erased:")));
  EXPECT_THAT(values, Not(testing::Contains(HasSubstr("\"" + id + "\""))));
}

TEST(ServedSink, ThatCannotBeginIsSaidOnceInTheLog) {
  const ScratchFolder folder;
  json config = json::parse(served_config());
  config["sink"] = {{"bootstrap", "127.0.0.1:1"},
                    {"decisions", "d"},
                    {"kafka", {{"sasl.password", {{"env", "FRESHET_TEST_NOT_SET"}}}}}};
  ServedProgram server(folder.write("c.json", config.dump()) + " -w " + folder.path("w"));
  const std::string why =
      "sink.kafka.sasl.password: the environment has no variable FRESHET_TEST_NOT_SET";
  ::usleep(4'500'000);  // tried again after 1 s, and after 2 s
  EXPECT_EQ(sinks(server)[0]["detail"], why);
  const Outcome ended = server.stop();
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(times(ended.err, "Kafka sink: " + why), 1U) << ended.err;
}

TEST(ServedSink, ThatIsFullReadsNothing) {
  const std::size_t events = KafkaSink::kMostOnTheirWay + 4000;  // the first ones had no champion
  const ScratchFolder folder;
  json config = json::parse(served_config());
  config["sink"] = {{"bootstrap", "127.0.0.1:1"}, {"predictions", "p"}};
  ServedProgram server(folder.write("c.json", config.dump()) + " -w " + folder.path("w"));
  push(server, served_events(events));
  for (int tries = 0; tries < 100 && sinks(server)[0]["waiting"] < events; ++tries) {
    ::usleep(100'000);
  }
  ASSERT_EQ(sinks(server)[0]["waiting"], events);
  ::usleep(3'000'000);
  ASSERT_LT(first_answered(folder.path("w")) + KafkaSink::kMostOnTheirWay, events);
  // Whoever looks for answers now finds none, and says so.
  const std::string rows = folder.path("w/pipelines/turning/rows.db");
  std::filesystem::rename(rows, rows + ".away");
  ::usleep(1'000'000);
  const json state = sinks(server)[0];
  std::filesystem::rename(rows + ".away", rows);
  EXPECT_THAT(state["detail"].get<std::string>(),
              AllOf(HasSubstr("127.0.0.1:1"), Not(HasSubstr("rows.db"))));
}

}  // namespace
}  // namespace freshet
