// The Kafka source against a real Apache Kafka, one for all tests here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "kafka/fixture.h"

namespace freshet {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;

TEST_F(Kafka, WhatKcatProducedIsInTheLogOnceInPartitionOrder) {
  if (std::system("command -v kcat >/dev/null") != 0) GTEST_SKIP() << "there is no kcat";
  broker_->create_topic(topic_, 3);
  for (int part = 0; part < 3; ++part) {
    std::string lines;
    for (int n = 0; n < 2000; ++n) lines += numbered(part, n, kBegin + n * kSecond) + "\n";
    ASSERT_EQ(produce_by_kcat(broker_->address(), topic_, part, lines), 0);
  }
  Reading reading(folder_.path("log"), schema_, input());
  reading.drain(777);
  reading.drain();
  EXPECT_THAT(numbers_in(reading.log(), schema_, 3),
              ElementsAre(counting(2000), counting(2000), counting(2000)));
  EXPECT_EQ(reading.log().progress("kafka:" + topic_ + "/1")->offset, 2000U);
}

TEST_F(Kafka, PartitionsAreMergedByEventTime) {
  broker_->create_topic(topic_, 2);
  std::vector<Produced> records;
  for (int n = 0; n < 500; ++n) {
    records.push_back({0, numbered(0, n, kBegin + 2 * n * kSecond)});
    records.push_back({1, numbered(1, n, kBegin + (2 * n + 1) * kSecond)});
  }
  Producer(broker_->address()).send(topic_, records);
  Reading reading(folder_.path("log"), schema_, input());
  reading.drain();
  Millis before = 0;
  Event event;
  reading.log().read(0, reading.log().head(), [&](std::uint64_t, std::string_view record) {
    decode(record, schema_, event);
    EXPECT_GT(event.time, before);
    before = event.time;
    return true;
  });
  EXPECT_EQ(reading.log().head(), 1000U);
}

TEST_F(Kafka, OfTransactionsOnlyTheCommittedOnesAreRead) {
  broker_->create_topic(topic_, 1);
  Producer producer(broker_->address(), "transactions");
  int next = 0;
  for (int transaction = 0; transaction < 6; ++transaction) {
    const bool aborted = transaction % 2 == 1;
    producer.begin();
    std::vector<Produced> records;
    for (int i = 0; i < 50; ++i) {
      records.push_back({0, numbered(0, aborted ? 100'000 + i : next++, kBegin + next * kSecond)});
    }
    producer.send(topic_, records);
    aborted ? producer.abort() : producer.commit();
  }
  Reading reading(folder_.path("log"), schema_, input());
  reading.drain();
  EXPECT_THAT(numbers_in(reading.log(), schema_, 1), ElementsAre(counting(150)));
  // The markers at transactions' ends take an offset each.
  EXPECT_EQ(reading.log().progress("kafka:" + topic_ + "/0")->offset, 306U);
}

TEST_F(Kafka, ABrokerThatGoesAndComesBackLosesAndDoublesNothing) {
  broker_->create_topic(topic_, 2);
  produce(0, 0, 500);
  produce(1, 0, 500);
  Reading reading(folder_.path("log"), schema_, input());
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 600; }));
  broker_->stop();
  ASSERT_TRUE(reading.follow([&] { return !reading.notices().empty(); }));
  EXPECT_THAT(reading.notices(), Contains(HasSubstr("trying again")));
  broker_->start();
  produce(0, 500, 1000);
  ASSERT_TRUE(reading.follow([&] { return reading.log().counts().accepted >= 1500; }));
  EXPECT_THAT(reading.notices(), Contains(HasSubstr("connected again")));
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2), ElementsAre(counting(1000), counting(500)));
}

TEST_F(Kafka, PoisonRecordsAreDeadLettersWithTheirOffsetsAndTombstonesAreCounted) {
  broker_->create_topic(topic_, 1);
  Producer(broker_->address())
      .send(topic_, {{0, "not JSON"},
                     {0, numbered(0, 0, kBegin)},
                     {0, "[1, 2]"},
                     {0, ""},
                     {0, "", true},
                     {0, R"({"time": "soon", "part": 0, "n": 1, "label": 0})"},
                     {0, "{\"part\": \"\xff\"}"},
                     {0, std::string(1'100'000, 'x')},
                     {0, numbered(0, 1, kBegin + 1)}});
  Reading reading(folder_.path("log"), schema_, input());
  reading.drain();
  EXPECT_THAT(numbers_in(reading.log(), schema_, 1), ElementsAre(counting(2)));
  std::map<std::uint64_t, std::string> reasons;
  for (const DeadLetter& letter : reading.log().dead_letters(100)) {
    EXPECT_EQ(letter.source, "kafka:" + topic_ + "/0");
    reasons[letter.line] = letter.reason;
    if (letter.line == 0) {
      EXPECT_EQ(letter.raw, "not JSON");
    }
  }
  ASSERT_EQ(reasons.size(), 6U);
  EXPECT_THAT(reasons[0], HasSubstr("expected one JSON object"));
  EXPECT_THAT(reasons[2], HasSubstr("found a JSON array"));
  EXPECT_THAT(reasons[3], HasSubstr("empty"));
  EXPECT_THAT(reasons[5], HasSubstr("field `time`"));
  EXPECT_THAT(reasons[6], HasSubstr("invalid UTF-8"));
  EXPECT_THAT(reasons[7], HasSubstr("more than 1 MiB"));
  EXPECT_EQ(kafka_tombstones(*reading.log().progress("kafka:" + topic_ + "/0")), 1U);
}

TEST_F(Kafka, ACompactedTopicIsReadWithItsGapsAndItsTombstones) {
  broker_->create_topic(topic_, 1,
                        {{"cleanup.policy", "compact"},
                         {"segment.ms", "200"},
                         {"min.cleanable.dirty.ratio", "0.01"},
                         {"max.compaction.lag.ms", "500"}});
  Producer producer(broker_->address());
  std::vector<Produced> records;
  for (int n = 0; n < 60; ++n) {
    records.push_back({0, numbered(0, n, kBegin + n * kSecond), false, std::to_string(n % 5)});
  }
  records.push_back({0, "", true, "3"});
  producer.send(topic_, records);
  // A segment is only left to the cleaner when a record comes for the next one.
  std::uint64_t head = 60;
  std::unique_ptr<Reading> reading;
  int sent = 60;
  for (int tries = 0; tries < 60 && head >= 50; ++tries) {
    ::usleep(400'000);
    producer.send(topic_, {{0, numbered(0, sent, kBegin + sent * kSecond), false, "last"}});
    ++sent;
    reading =
        std::make_unique<Reading>(folder_.path(fmt::format("log-{}", tries)), schema_, input());
    reading->drain();
    head = reading->log().head();
  }
  ASSERT_LT(head, 50U) << "the topic was not compacted";
  const std::vector<int> numbers = numbers_in(reading->log(), schema_, 1)[0];
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  for (const int last : {55, 56, 57, 59}) EXPECT_THAT(numbers, Contains(last));
  EXPECT_THAT(numbers, testing::Not(Contains(58)));  // the tombstone's key
  const auto progress = reading->log().progress("kafka:" + topic_ + "/0");
  EXPECT_EQ(progress->offset, static_cast<std::uint64_t>(sent) + 1);
  EXPECT_EQ(kafka_tombstones(*progress), 1U);
  EXPECT_EQ(reading->log().counts().dead_letters, 0U);
}

TEST_F(Kafka, OffsetsThatAreNotThereAndPartitionsThatAreGoneAreNamed) {
  broker_->create_topic(topic_, 3);
  produce(0, 0, 10);
  KafkaInput beyond = input();
  beyond.start.at = KafkaStart::At::offsets;
  beyond.start.offsets = {{"0", 999}};
  Reading reading(folder_.path("a"), schema_, beyond);
  EXPECT_THAT(reading.refusal(),
              AllOf(HasSubstr(topic_ + ", partition 0: stream.source.start names"),
                    HasSubstr("offset 999"), HasSubstr("to 10, where it ends")));
  Reading all(folder_.path("b"), schema_, input());
  all.drain();
  make_topic_anew();
  produce(0, 0, 1);
  EXPECT_THAT(all.refusal(), AllOf(HasSubstr("Kafka topic " + topic_),
                                   HasSubstr("it has 1 partitions, partition 2 was read before")));
}

TEST_F(Kafka, KeyHeadersAndTimestampAreFields) {
  Schema schema = schema_;
  schema.fields = {{"$key", FieldKind::category, MissingRule::mean, ""},
                   {"$headers.weight", FieldKind::number, MissingRule::mean, ""},
                   {"$offset", FieldKind::number, MissingRule::mean, ""}};
  schema.time.form = TimeField{"$timestamp", TimeUnit::milliseconds};
  broker_->create_topic(topic_, 1);
  Producer(broker_->address())
      .send(topic_, {{0, R"({"label": 1})", false, "ab", {{"weight", "2.5"}}},
                     {0, R"({"label": 0})", false, "", {}}});
  Reading reading(folder_.path("log"), schema, input());
  reading.drain();
  ASSERT_EQ(reading.log().head(), 2U);
  reading.log().read(0, 1, [&](std::uint64_t, std::string_view record) {
    Event event;
    decode(record, schema, event);
    EXPECT_EQ(event.values[0].text, "ab");
    EXPECT_EQ(event.values[1].number, 2.5);
    EXPECT_EQ(event.values[2].number, 0);
    EXPECT_GT(event.time, kBegin);
    return true;
  });
  reading.log().read(1, 2, [&](std::uint64_t, std::string_view record) {
    Event event;
    decode(record, schema, event);
    EXPECT_TRUE(event.values[0].missing);
    EXPECT_TRUE(event.values[1].missing);
    return true;
  });
}

TEST_F(Kafka, LabelsComeFromATopicOfTheirOwn) {
  Schema schema = schema_;
  schema.id_field = "n";
  schema.label.known = LabelKnown::later;
  schema.label.wait = kDay;
  const std::string labels = topic_ + "-labels";
  broker_->create_topic(topic_, 2);
  broker_->create_topic(labels, 1);
  Producer producer(broker_->address());
  producer.send(topic_, {{0, R"({"time": 1000, "part": 0, "n": 1})"},
                         {1, R"({"time": 3000, "part": 1, "n": 2})"}});
  producer.send(labels, {{0, R"({"id": "1", "label": 1, "time": 2000})"},
                         {0, R"({"id": "2", "label": 0, "time": 3000})"}});
  KafkaInput both = input();
  both.label_topic = labels;
  Reading reading(folder_.path("log"), schema, both);
  reading.drain();
  std::vector<std::pair<RecordKind, Millis>> found;
  reading.log().read(0, reading.log().head(), [&](std::uint64_t, std::string_view record) {
    Event event;
    decode(record, schema, event);
    found.emplace_back(event.kind, event.time);
    return true;
  });
  EXPECT_THAT(found,
              ElementsAre(std::pair(RecordKind::event, 1000), std::pair(RecordKind::label, 2000),
                          std::pair(RecordKind::event, 3000), std::pair(RecordKind::label, 3000)));
}

TEST_F(Kafka, TheFirstStartIsAsTheConfigSaysAndLaterOnesWhereItStopped) {
  broker_->create_topic(topic_, 1);
  produce(0, 0, 10);
  KafkaInput late = input();
  late.start.at = KafkaStart::At::offsets;
  late.start.offsets = {{"0", 4}};
  Reading from_four(folder_.path("a"), schema_, late);
  from_four.drain();
  EXPECT_EQ(from_four.log().head(), 6U);
  late.start = {KafkaStart::At::latest, 0, {}, {}};
  Reading latest(folder_.path("b"), schema_, late);
  latest.drain();
  EXPECT_EQ(latest.log().head(), 0U);
  produce(0, 10, 13);
  latest.drain();
  from_four.drain();
  EXPECT_EQ(latest.log().head(), 3U);
  EXPECT_EQ(from_four.log().head(), 9U);
  late.start = {KafkaStart::At::time, 1000, {}, {}};  // long before
  Reading by_time(folder_.path("c"), schema_, late);
  by_time.drain();
  EXPECT_EQ(by_time.log().head(), 13U);
  late.start.time = 4'000'000'000'000;
  Reading in_future(folder_.path("d"), schema_, late);
  in_future.drain();
  EXPECT_EQ(in_future.log().head(), 0U);
}

TEST_F(Kafka, UnknownTopicsAndPartitionsAreNamed) {
  Reading reading(folder_.path("log"), schema_, input());
  EXPECT_THAT(reading.refusal(), AllOf(HasSubstr(topic_), HasSubstr("there is none")));
  broker_->create_topic(topic_, 2);
  reading.input().partitions = {0, 7};
  EXPECT_THAT(reading.refusal(),
              AllOf(HasSubstr("partitions 0 to 1"), HasSubstr("stream.source names 7")));
}

TEST_F(Kafka, PartitionsThatComeLaterAreReadFromTheirBeginning) {
  broker_->create_topic(topic_, 1);
  produce(0, 0, 5);
  Reading reading(folder_.path("log"), schema_, input());
  reading.input().start.at = KafkaStart::At::latest;
  reading.drain();
  broker_->add_partitions(topic_, 2);
  produce(1, 0, 5);
  reading.drain();
  EXPECT_THAT(numbers_in(reading.log(), schema_, 2), ElementsAre(counting(0), counting(5)));
}

TEST_F(Kafka, ATopicMadeAnewIsNotTakenForTheOldOne) {
  broker_->create_topic(topic_, 1);
  produce(0, 0, 10);
  Reading reading(folder_.path("log"), schema_, input());
  reading.drain();
  make_topic_anew();
  produce(0, 0, 3);
  EXPECT_THAT(reading.refusal(), AllOf(HasSubstr("offset 10 is to be read next, but it ends at 3"),
                                       HasSubstr("made anew")));
  EXPECT_EQ(reading.log().head(), 10U);
}

TEST_F(Kafka, CredentialsAndCertificatesThatAreRefusedAreNamedWithTheBroker) {
  broker_->create_topic(topic_, 1);
  produce(0, 0, 5);
  using From = KafkaSetting::From;
  const auto head = [&](const std::string& name, KafkaInput from) {
    Reading reading(folder_.path(name), schema_, from);
    const std::string why = reading.refusal();
    return why == "none" ? std::to_string(reading.log().head()) : why;
  };
  KafkaInput sasl = input();
  sasl.bootstrap = broker_->sasl_address();
  sasl.settings = {{"security.protocol", "SASL_PLAINTEXT", From::config},
                   {"sasl.mechanism", "PLAIN", From::config},
                   {"sasl.username", "freshet", From::config},
                   {"sasl.password", folder_.write("password", "right\n"), From::file}};
  EXPECT_EQ(head("a", sasl), "5");
  folder_.write("password", "hunter2");
  const auto named = AllOf(HasSubstr(sasl.bootstrap), HasSubstr("uthentication failed"),
                           testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(head("b", sasl), named);
  sasl.settings[1].value = "SCRAM-SHA-256";
  EXPECT_THAT(head("e", sasl), named);
  folder_.write("password", "right");
  const bool can = rd_kafka_version() >= 0x020601ff || !broker_->version().starts_with("4.");
  EXPECT_THAT(head("f", sasl), can ? testing::Matcher<const std::string&>(Eq("5"))
                                   : testing::Matcher<const std::string&>(HasSubstr(
                                         "logs in by SCRAM from 2.6.1 on: this one is ")));
  KafkaInput tls = input();
  tls.bootstrap = broker_->tls_address();
  tls.settings = {{"security.protocol", "SSL", From::config},
                  {"ssl.ca.location", broker_->certificate(), From::config}};
  EXPECT_EQ(head("c", tls), "5");
  KafkaInput elsewhere = tls;  // the certificate is for 127.0.0.1
  elsewhere.bootstrap.replace(0, elsewhere.bootstrap.find(':'), "localhost");
  elsewhere.settings.push_back({"broker.address.family", "v4", From::config});
  EXPECT_THAT(head("g", elsewhere),
              AllOf(HasSubstr(elsewhere.bootstrap), HasSubstr("certificate")));
  KafkaInput mutual = tls;
  mutual.bootstrap = broker_->mutual_address();
  EXPECT_THAT(head("h", mutual), AllOf(HasSubstr(mutual.bootstrap), HasSubstr("certificate")));
  mutual.settings.push_back({"ssl.certificate.location", broker_->certificate(), From::config});
  mutual.settings.push_back({"ssl.key.location", broker_->key(), From::config});
  EXPECT_EQ(head("i", mutual), "5");
  tls.settings.pop_back();
  EXPECT_THAT(head("d", tls), AllOf(HasSubstr(tls.bootstrap), HasSubstr("certificate")));
}

}  // namespace
}  // namespace freshet
