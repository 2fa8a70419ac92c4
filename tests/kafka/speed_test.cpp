// How fast records come from Kafka into the log, beside a bare consumer in the same run. Not run by
// itself: test_kafka --gtest_also_run_disabled_tests --gtest_filter='*Speed*'
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "kafka/broker.h"
#include "kafka/reading.h"
#include "scenario/program.h"
#include "stream/kafka_client.h"

namespace freshet {
namespace {

constexpr int kRecords = 400'000;  // of each of 3 partitions
constexpr Millis kBegin = 1'700'000'000'000;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void fill(const Broker& broker) {
  Producer producer(broker.address());
  const std::string padding(115, 'x');
  for (int n = 0; n < kRecords; n += 10'000) {
    std::vector<Produced> records;
    for (int i = n; i < n + 10'000; ++i) {
      for (int part = 0; part < 3; ++part) {
        records.push_back(
            {part, fmt::format(R"({{"time": {}, "part": {}, "n": {}, "label": 1, "note": "{}"}})",
                               kBegin + i * kSecond, part, i, padding)});
      }
    }
    producer.send("speed", records);
  }
}

void report(const char* what, double wall, double cpu) {
  constexpr double kMillion = 3 * kRecords / 1e6;
  fmt::print("{}: {:.3f} M/s by the clock, {:.3f} M/s of processor time\n", what, kMillion / wall,
             kMillion / cpu);
}

TEST(Speed, DISABLED_IntoTheLogAndBare) {
  Broker broker("3.9.1");
  broker.create_topic("speed", 3);
  fill(broker);
  KafkaInput input;
  input.bootstrap = broker.address();
  input.topic = "speed";
  for (int round = 0; round < 2; ++round) {
    {
      KafkaClient client(input, "bare", {});
      ASSERT_TRUE(client.partition_count("speed", std::chrono::seconds(5)));
      const double cpu = cpu_seconds();
      const auto begin = std::chrono::steady_clock::now();
      client.assign({{"speed", 0, 0}, {"speed", 1, 0}, {"speed", 2, 0}});
      int seen = 0;
      std::vector<KafkaMessage> messages;
      while (seen < 3 * kRecords) {
        std::size_t came = 0;
        for (std::size_t part = 0; part < 3; ++part) {
          came += client.read(part, messages);
          for (const KafkaMessage& message : messages) {
            seen += message.kind() == KafkaMessage::Kind::record ? 1 : 0;
          }
          messages.clear();
        }
        if (came == 0) client.wait(std::chrono::milliseconds(20));
      }
      report("bare consumer", seconds_since(begin), cpu_seconds() - cpu);
    }
    const ScratchFolder folder;
    Reading reading(folder.path("log"), numbered_schema(), input);
    const double cpu = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    reading.drain(4096);
    report("into the log", seconds_since(begin), cpu_seconds() - cpu);
    EXPECT_EQ(reading.log().head(), 3U * kRecords);
  }
}

}  // namespace
}  // namespace freshet
