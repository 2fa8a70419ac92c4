// The program with examples/kafka.json against a real Apache Kafka whose broker is restarted while
// others produce and the program is killed again and again. A small run of it is part of the suite;
// FRESHET_KAFKA=long makes it a million events and ten kills, FRESHET_SEED chooses the moments.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "kafka/fixture.h"
#include "scenario/service.h"

namespace freshet {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kParts = 3;

struct Size {
  Millis step() const { return 14 * kDay / events; }

  int events = 30'000;
  int block = 1000;  // goes to one partition; the next block to the next
  int kills = 3;
  int restarts = 1;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string event_line(const std::string& id, int number, Millis time) {
  return fmt::format(R"({{"id": "{}", "time": {}, "amount": {}.5, "terminal": "t{}"}})", id, time,
                     number % 97, number % 13);
}

class FullSize : public Kafka {
 protected:
  void SetUp() override {
    Kafka::SetUp();
    if (!broker_) return;
    if (std::system("command -v kcat >/dev/null") != 0) GTEST_SKIP() << "there is no kcat";
    const char* wanted = std::getenv("FRESHET_KAFKA");
    if (wanted != nullptr && std::string(wanted) == "long") size_ = {1'000'000, 5000, 10, 2};
    const char* seed = std::getenv("FRESHET_SEED");
    random_.seed(seed != nullptr ? static_cast<unsigned>(std::stoul(seed)) : 1U);
    broker_->create_topic("payments", kParts);
    broker_->create_topic("chargebacks", 1);
    broker_->create_topic("freshet-decisions", 1);
  }

  Millis time_of(int number) const { return kBegin + number * size_.step(); }

  /// Blocks of the partitions 0 and 1 by kcat, and the labels of those that were fraud.
  void produce_with_kcat() {
    for (int begin = 0; begin < size_.events; begin += size_.block) {
      const int part = begin / size_.block % kParts;
      if (part == kParts - 1) continue;
      std::string lines;
      std::string labels;
      for (int n = begin; n < begin + size_.block; ++n) {
        lines += event_line(fmt::format("{}-{}", part, n), n, time_of(n)) + "\n";
        if (n % 97 < 80) continue;  // the default is right
        labels +=
            fmt::format("{{\"id\": \"{}-{}\", \"label\": 1, \"time\": {}}}\n", part, n, time_of(n));
        ++labels_;
      }
      ASSERT_EQ(produce_by_kcat(broker_->address(), "payments", part, lines), 0);
      if (!labels.empty()) {
        ASSERT_EQ(produce_by_kcat(broker_->address(), "chargebacks", 0, labels), 0);
      }
      produced_ += size_.block;
    }
  }

  /// Blocks of the last partition in transactions, every fourth of which is aborted first.
  void produce_with_transactions() {
    const int part = kParts - 1;
    Producer producer(broker_->address(), "payments-of-the-test");
    int transactions = 0;
    for (int begin = part * size_.block; begin < size_.events; begin += kParts * size_.block) {
      for (int half = begin; half < begin + size_.block; half += size_.block / 2) {
        for (bool aborted : {true, false}) {
          if (aborted && ++transactions % 4 != 0) continue;
          std::vector<Produced> records;
          for (int n = half; n < half + size_.block / 2; ++n) {
            const std::string id = fmt::format("{}{}-{}", aborted ? "aborted-" : "", part, n);
            records.push_back(
                {part, event_line(id, n, time_of(n)), false, "", {{"channel", "web"}}});
          }
          producer.transact("payments", records, !aborted);
        }
      }
      produced_ += size_.block;
    }
  }

  // A broker goes with the thread that started it, so this one stays.
  void restart_the_broker(const std::stop_token& stop) {
    for (int restart = 1; restart <= size_.restarts; ++restart) {
      while (produced_ < size_.events / (size_.restarts + 1) * restart) {
        if (HasFailure() || stop.stop_requested()) return;
        ::usleep(20'000);
      }
      broker_->stop();
      ::usleep(1'000'000);
      broker_->start();
      fmt::print("the broker was restarted at {} events\n", produced_.load());
      ++restarted_;
    }
    while (!stop.stop_requested()) ::usleep(20'000);
  }

  std::string config() const {
    std::ifstream in(std::string(FRESHET_EXAMPLES) + "/kafka.json");
    json config = json::parse(in);
    config["stream"]["source"]["bootstrap"] = broker_->address();
    config["sink"]["bootstrap"] = broker_->address();
    return config.dump();
  }

  /// The ids of a partition's committed records, by a consumer that no one here wrote.
  std::vector<std::string> committed_ids(int part) const {
    const std::string file = folder_.path(fmt::format("committed-{}", part));
    const std::string kcat = fmt::format(
        "kcat -q -C -b {} -t payments -p {} -o beginning -e -X isolation.level=read_committed > {}",
        broker_->address(), part, file);
    EXPECT_EQ(std::system(kcat.c_str()), 0);
    std::vector<std::string> ids;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) ids.push_back(json::parse(line)["id"]);
    return ids;
  }

  Size size_;
  std::mt19937 random_;
  std::atomic<int> produced_ = 0;
  std::atomic<int> restarted_ = 0;
  std::atomic<std::uint64_t> labels_ = 0;
};

json stats_of(const std::string& workspace) {
  const Outcome stats = freshet_program("events stats --json -w " + workspace);
  return stats.code == 0 ? stats.json() : json{{"accepted", 0}};
}

/// The ids of each partition's events as they stand in the log.
std::vector<std::vector<std::string>> logged_ids(const std::string& workspace) {
  std::vector<std::vector<std::string>> ids(kParts);
  const Outcome tail = freshet_program("events tail --limit 4000000 -w " + workspace);
  std::istringstream in(tail.out);
  for (std::string line; std::getline(in, line);) {
    const json record = json::parse(line);
    if (record["kind"] != "event") continue;
    const std::string id = record["id"];
    ids.at(id.starts_with("aborted") ? 0 : static_cast<std::size_t>(id[0] - '0')).push_back(id);
  }
  return ids;
}

TEST_F(FullSize, EachCommittedRecordIsInTheLogOnceAndAReplayOfItIsTheSame) {
  const std::string arguments = folder_.write("config.json", config()) + " -w " + folder_.path("w");
  const auto begin = Clock::now();
  std::jthread restarts_broker;  // goes last
  std::vector<std::jthread> others;
  const auto beside = [](const std::function<void(const std::stop_token&)>& work) {
    return std::jthread([work](const std::stop_token& stop) {
      try {
        work(stop);
      } catch (const std::runtime_error& error) {
        ADD_FAILURE() << error.what();
      }
    });
  };
  others.push_back(beside([this](const std::stop_token&) { produce_with_kcat(); }));
  others.push_back(beside([this](const std::stop_token&) { produce_with_transactions(); }));
  restarts_broker = beside([this](const std::stop_token& stop) { restart_the_broker(stop); });
  std::vector<double> restarts;
  for (int kill = 0; kill < size_.kills; ++kill) {
    const auto started = Clock::now();
    ServedProgram server(arguments);
    restarts.push_back(seconds_since(started));
    const double share =
        (kill + std::uniform_real_distribution<>(0.05, 1)(random_)) / (size_.kills + 0.5);
    while (stats_of(folder_.path("w"))["accepted"] < share * size_.events) {
      if (HasFailure()) return;
      ::usleep(50'000);
    }
    server.kill();
  }
  ServedProgram server(arguments);
  others.clear();
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(restarted_, size_.restarts);
  fmt::print("produced after {:.1f} s\n", seconds_since(begin));
  const auto all = static_cast<std::uint64_t>(size_.events) + labels_;
  const auto limit = Clock::now() + std::chrono::minutes(10);
  while (stats_of(folder_.path("w"))["accepted"] < all && Clock::now() < limit) ::usleep(100'000);
  fmt::print("in the log after {:.1f} s\n", seconds_since(begin));
  // A server that stops leaves what it has not gone through to the next one.
  const auto behind = [&] {
    const Reply reply = server.get("/api/v1/pipelines/card-payments/stream");
    return reply.status != 200 || reply.json()["lag"] != 0;
  };
  while (behind() && Clock::now() < limit) ::usleep(100'000);
  EXPECT_EQ(server.stop().code, 0);
  fmt::print("gone through after {:.1f} s; started and serving in, s: {:.2f}\n",
             seconds_since(begin), fmt::join(restarts, " "));

  const json stats = stats_of(folder_.path("w"));
  fmt::print("{}\n", stats.dump());
  EXPECT_EQ(stats["accepted"], all);
  for (const char* count : {"duplicates", "late", "dead_letters"}) EXPECT_EQ(stats[count], 0);
  const auto logged = logged_ids(folder_.path("w"));
  for (int part = 0; part < kParts; ++part) {
    EXPECT_TRUE(committed_ids(part) == logged[static_cast<std::size_t>(part)]) << part;
  }
  const std::string undisturbed = folder_.path("undisturbed");
  const Outcome replay =
      freshet_program("run --from-log " + folder_.path("w") + " -w " + undisturbed);
  ASSERT_EQ(replay.code, 0) << replay.err;
  const json fingerprint = fingerprint_of(folder_.path("w"));
  EXPECT_EQ(fingerprint, fingerprint_of(undisturbed));
  const Outcome history = freshet_program("registry history -w " + undisturbed);
  fmt::print("{}", history.out);
  EXPECT_NE(history.out, "") << replay.out;
  fmt::print("replayed and compared after {:.1f} s\n", seconds_since(begin));
}

}  // namespace
}  // namespace freshet
