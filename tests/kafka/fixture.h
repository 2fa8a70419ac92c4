#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kafka/broker.h"
#include "kafka/reading.h"
#include "scenario/program.h"
#include "stream/error.h"

namespace freshet {

inline constexpr Millis kBegin = 1'700'000'000'000;

/// Tests that share one Apache Kafka; each has a topic's name of its own.
class Kafka : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* version = std::getenv("FRESHET_KAFKA_VERSION");
    try {
      broker_ = std::make_unique<Broker>(version != nullptr ? version : "3.9.1");
    } catch (const std::runtime_error& error) {
      why_not_ = error.what();
    }
  }
  static void TearDownTestSuite() { broker_.reset(); }

  void SetUp() override {
    if (!broker_) GTEST_SKIP() << "no Apache Kafka: " << why_not_;
    topic_ = fmt::format("topic-{}", ++topics_);
  }

  KafkaInput input() const {
    KafkaInput input;
    input.bootstrap = broker_->address();
    input.topic = topic_;
    input.settings = {{"reconnect.backoff.max.ms", "200", KafkaSetting::From::config}};
    return input;
  }

  /// Deletes the topic, and makes it again with one partition.
  void make_topic_anew() const {
    broker_->delete_topic(topic_);
    for (int tries = 0; tries < 50; ++tries) {
      try {
        broker_->create_topic(topic_, 1);
        return;
      } catch (const std::runtime_error&) {  // it is still going
        ::usleep(100'000);
      }
    }
  }

  void produce(int partition, int begin, int end) {
    std::vector<Produced> records;
    for (int n = begin; n < end; ++n) {
      records.push_back({partition, numbered(partition, n, kBegin + n * kSecond)});
    }
    Producer(broker_->address()).send(topic_, records);
  }

  inline static std::unique_ptr<Broker> broker_;
  inline static std::string why_not_;
  inline static int topics_ = 0;

  const Schema schema_ = numbered_schema();
  ScratchFolder folder_;
  std::string topic_;
};

}  // namespace freshet
