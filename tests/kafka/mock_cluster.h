#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <string>

#include "stream/kafka_input.h"

namespace freshet {

/// Tests against librdkafka's mock brokers: `brokers` of them, with one topic of one copy.
class MockCluster : public testing::Test {
 protected:
  MockCluster(int brokers, const char* topic, int partitions) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    cluster_ = rd_kafka_mock_cluster_new(host_, brokers);
    rd_kafka_mock_topic_create(cluster_, topic, partitions, 1);
  }
  ~MockCluster() override {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(host_);
  }

  std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  /// Of topic `t`, by a client that connects anew quickly.
  KafkaInput input() const {
    KafkaInput input;
    input.bootstrap = address();
    input.topic = "t";
    input.settings = {{"reconnect.backoff.max.ms", "100", KafkaSetting::From::config}};
    return input;
  }

  rd_kafka_t* host_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace freshet
