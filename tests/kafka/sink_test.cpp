// What the program publishes to a real Apache Kafka while broker and program die.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "kafka/fixture.h"
#include "scenario/service.h"
#include "stream/kafka_client.h"
#include "stream/kafka_sink.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Sink : public Kafka {
 protected:
  void SetUp() override {
    Kafka::SetUp();
    if (!broker_) return;
    if (std::system("command -v kcat >/dev/null") != 0) GTEST_SKIP() << "there is no kcat";
    broker_->create_topic(decisions(), 3);
    broker_->create_topic(predictions(), 3);
    json config = json::parse(served_config());
    config["sink"] = {{"bootstrap", broker_->address()},
                      {"decisions", decisions()},
                      {"predictions", predictions()},
                      {"kafka", {{"reconnect.backoff.max.ms", "200"}}}};
    arguments_ = folder_.write("config.json", config.dump()) + " -w " + folder_.path("w");
    events_ = served_events(9000);
  }

  std::string decisions() const { return topic_ + "-decisions"; }
  std::string predictions() const { return topic_ + "-predictions"; }

  void push(const ServedProgram& server, std::size_t begin, std::size_t end) const {
    for (std::size_t at = begin; at < end; at += 1000) {
      const Reply reply =
          server.post(kPipeline + "/events", joined(events_, at, std::min(end, at + 1000)),
                      {{"Content-Type", "application/x-ndjson"}});
      ASSERT_EQ(reply.status, 200) << reply.body;
    }
    settled(server, end);
  }

  static json sinks(const ServedProgram& server) {
    return server.get(kPipeline + "/stream").json().at("sinks");
  }

  /// Until all that there is was acknowledged; gives how it stands.
  static json delivered(const ServedProgram& server) {
    for (int tries = 0; tries < 300; ++tries) {
      const json all = sinks(server);
      if (all[0]["waiting"] == 0 && all[1]["waiting"] == 0 && all[0]["delivered"] > 0) return all;
      ::usleep(100'000);
    }
    ADD_FAILURE() << sinks(server).dump();
    return sinks(server);
  }

  /// What a consumer sees of a topic, in order.
  std::vector<json> published(const std::string& topic) const {
    const std::string file = folder_.path(topic);
    EXPECT_EQ(std::system(fmt::format("kcat -q -C -b {} -t {} -o beginning -e -f '%k %s\\n' > {}",
                                      broker_->address(), topic, file)
                              .c_str()),
              0);
    std::vector<json> all;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      const std::size_t space = line.find(' ');
      all.push_back(json::parse(line.substr(space + 1)));
      EXPECT_EQ(all.back()["id"], line.substr(0, space));
    }
    return all;
  }

  std::string arguments_;
  std::vector<std::string> events_;
};

TEST_F(Sink, EachDecisionAndPredictionIsSeenInOrderWhateverDies) {
  {
    ServedProgram server(arguments_);
    broker_->stop();
    push(server, 0, 4000);  // there is a champion now
    for (int tries = 0; tries < 200 && sinks(server)[0]["waiting"] == 0; ++tries) {
      ::usleep(50'000);
    }
    ASSERT_GT(sinks(server)[0]["waiting"], 0);
    for (int tries = 0; tries < 100 && sinks(server)[0]["state"] == "open"; ++tries) {
      ::usleep(50'000);
    }
    EXPECT_THAT(server.get("/metrics").body,
                AllOf(HasSubstr("freshet_sink_in_trouble{pipeline=\"turning\"} 1"),
                      HasSubstr("freshet_sink_waiting_records{pipeline=\"turning\"")));
    server.kill();
    broker_->start();
  }
  {
    ServedProgram server(arguments_);
    delivered(server);
    push(server, 4000, 7000);
    server.kill();  // in the middle of it
  }
  ServedProgram server(arguments_);
  settled(server, 7000);
  push(server, 7000, 9000);
  // Answers wait for their file for a second.
  for (int tries = 0; tries < 300 && sinks(server)[1]["delivered"] != 9000; ++tries) {
    ::usleep(100'000);
  }
  const json last = server.get(kPipeline + "/decisions?limit=1").json()["items"][0];
  const json state = delivered(server);
  EXPECT_EQ(state[0]["delivered"], last["sequence"]);
  EXPECT_EQ(state[1]["delivered"], 9000);
  EXPECT_EQ(server.stop().code, 0);

  std::uint64_t newest = 0;
  for (const json& decision : published(decisions())) {
    ASSERT_LE(decision["sequence"], newest + 1);
    newest = std::max<std::uint64_t>(newest, decision["sequence"]);
  }
  EXPECT_EQ(newest, last["sequence"]);
  const auto answers = published(predictions());
  std::uint64_t next = first_answered(folder_.path("w"));
  std::map<std::string, double> answer_of;
  for (const json& answer : answers) {
    ASSERT_LE(answer["position"], next);
    next = std::max<std::uint64_t>(next, answer["position"].get<std::uint64_t>() + 1);
    const auto [known, is_new] = answer_of.emplace(answer["id"], answer["answer"]);
    EXPECT_EQ(known->second, answer["answer"]) << answer["id"];
  }
  EXPECT_EQ(next, 9000U);
}

TEST_F(Sink, NothingOvertakesARecordThatIsRefused) {
  const std::string topic = topic_ + "-small";
  broker_->create_topic(topic, 1, {{"max.message.bytes", "2000"}});
  const KafkaOutput output{
      broker_->address(), topic, "", {{"batch.num.messages", "1", KafkaSetting::From::config}}};
  const auto offer = [&](KafkaSink& sink, std::uint64_t number, std::size_t size) {
    const json value = {{"id", std::to_string(number)}, {"text", std::string(size, 'x')}};
    ASSERT_TRUE(sink.offer({topic, value["id"], value.dump(), {}, number}));
  };
  const auto finish = [](KafkaSink& sink) {
    // After a failure for a while longer: what follows it must not be sent then.
    for (int tries = 0; tries < 600 && sink.on_their_way() > 0; ++tries) {
      sink.serve(std::chrono::milliseconds(50));
      if (!sink.failure().empty() && tries < 560) tries = 560;
    }
  };
  {
    KafkaSink sink(output, "p", nullptr);
    broker_->pause();  // all are offered before the refusal is heard of
    for (std::uint64_t number = 1; number < 50; ++number) {
      offer(sink, number, number == 5 ? 5000 : 10);
    }
    broker_->resume();
    finish(sink);
    EXPECT_EQ(sink.delivered(topic), 4U);
    EXPECT_THAT(sink.failure(), HasSubstr("record 5: Broker: Message size too large"));
  }
  KafkaSink next(output, "p", nullptr);
  for (std::uint64_t number = 5; number < 50; ++number) offer(next, number, 10);
  finish(next);
  EXPECT_EQ(next.delivered(topic), 49U);
  std::uint64_t number = 0;
  for (const json& value : published(topic)) EXPECT_EQ(value["id"], std::to_string(++number));
  EXPECT_EQ(number, 49U);
}

// Whose leader refuses the first request, as it has just been elected, and takes the second.
TEST_F(Sink, TheFirstRecordsOfATopicThatIsNewArriveToo) {
  for (int i = 0; i < 40; ++i) {
    const std::string topic = fmt::format("{}-new{}", topic_, i);
    broker_->create_topic(topic, 1);
    KafkaSink sink({broker_->address(),
                    topic,
                    "",
                    {{"batch.num.messages", "1", KafkaSetting::From::config},
                     {"linger.ms", "0", KafkaSetting::From::config}}},
                   "p", nullptr);
    for (std::uint64_t number = 1; number <= 20; ++number) {
      ASSERT_TRUE(sink.offer({topic, std::to_string(number), "v", {}, number}));
    }
    for (int tries = 0; tries < 600 && sink.on_their_way() > 0; ++tries) {
      sink.serve(std::chrono::milliseconds(50));
    }
    ASSERT_EQ(sink.delivered(topic), 20U) << sink.failure();
    KafkaClient reader(input(), "reader", nullptr);
    const auto range = reader.query_range({topic, 0, 0}, std::chrono::seconds(10));
    ASSERT_TRUE(range.has_value());
    EXPECT_EQ(range->second, 20) << topic;
  }
}

TEST_F(Sink, ASinkThatCannotWorkIsSaidAndStopsNothing) {
  json config = json::parse(served_config());
  config["sink"] = {{"bootstrap", "127.0.0.1:1"}, {"decisions", "no-such-topic"}};
  ServedProgram server(folder_.write("c.json", config.dump()) + " -w " + folder_.path("c"));
  push(server, 0, 3000);
  for (int tries = 0; tries < 100 && sinks(server)[0]["state"] == "open"; ++tries) {
    ::usleep(50'000);
  }
  EXPECT_THAT(sinks(server)[0]["detail"].get<std::string>(), HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(server.stop().code, 0);
  config["sink"] = {{"bootstrap", ""}, {"predictions", "a b"}};
  const Outcome refused =
      freshet_program("serve --listen 127.0.0.1:0 " + folder_.write("d.json", config.dump()) +
                      " -w " + folder_.path("d"));
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("sink.bootstrap"), HasSubstr("sink.predictions")));
}

}  // namespace
}  // namespace freshet
