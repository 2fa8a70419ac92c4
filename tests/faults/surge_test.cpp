// Ten times more comes than can be taken, under a cap on memory: the service sends away what has no
// room, takes each when it comes again, stays under the cap, and has gone through all in the end.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>

#include "faults/clients.h"
#include "faults/fault_test.h"
#include "stream/event_time.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

/// A line of about a kilobyte: what waits is counted in bytes.
std::string wide_event(std::size_t i) {
  static const Millis kStart = *parse_time("2024-01-01T00:00:00Z");
  static const std::string kPad(900, '.');
  KeyedGenerator draw(7, i);
  const double x = 2 * draw.uniform() - 1;
  const double y = 2 * draw.uniform() - 1;
  return fmt::format(R"({{"id":"e{}","at":"{}","x":{},"y":{},"kind":"k{}","label":{},"pad":"{}"}})",
                     i, format_time(kStart + static_cast<Millis>(i) * 10), x, y, i % 5,
                     x + y > 0 ? 1 : 0, kPad);
}

std::size_t memory_mib(int process, const std::string& what) {
  std::ifstream in(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(what + ":")) return std::stoul(line.substr(what.size() + 1)) / 1024;
  }
  return 0;
}

class Surge : public FaultTest {
 protected:
  static std::string surge_config() {
    nlohmann::json config = nlohmann::json::parse(served_config());
    config["stream"]["label"]["known"] = {{"after", "1s"}};
    config["stream"]["out_of_orderness"] = "1m";
    config["stream"]["allowed_lateness"] = "2h";
    config["stream"]["dedup_within"] = "3h";
    config.erase("retrain");
    return write("surge.json", config.dump());
  }
};

// What the program maps to write on is limited, its threads' stacks included: beyond the limit
// there is no memory to be had.
TEST_F(Surge, OfTenTimesTheRateStaysUnderTheCapAndIsDrained) {
  constexpr std::size_t kCapMib = 1024;
  constexpr std::size_t kMany = 50'000'000;  // more than can come
  constexpr std::size_t kBatch = 1000;
  const std::string config = surge_config();
  const std::string prefix = fmt::format("prlimit --data={} --stack=1048576", kCapMib << 20U);
  Tally tally("10x surge under a memory cap");
  ServedProgram served(config + " -w " + path("w"), prefix);
  // What it takes from one client after another; then ten times as many never stop.
  Clients one(wide_event, 20'000, kBatch, 1);
  const auto begin = Clock::now();
  one.call(served);
  ASSERT_TRUE(one.done_within(120'000));
  one.hang_up();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::size_t rest_mib = memory_mib(served.process(), "VmRSS");
  Clients many([](std::size_t i) { return wide_event(i + 20'000); }, kMany, kBatch, 100);
  many.call(served);
  std::this_thread::sleep_for(std::chrono::seconds(tries(1, 60)));
  many.hang_up();
  // Who is sent away while others go on may come back late.
  const std::size_t taken = one.acknowledged_count() + many.acknowledged_count() - many.late();
  const auto drained_from = Clock::now();
  for (int waits = 0; waits < 6000 && served.get("/readyz").status == 200; ++waits) {
    if (served.get(kPipeline).json().at("position") >= taken) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const auto drained = std::chrono::duration<double>(Clock::now() - drained_from).count();
  EXPECT_EQ(served.get(kPipeline).json().at("position"), taken);
  const std::size_t peak_mib = memory_mib(served.process(), "VmHWM");
  const Outcome end = served.stop();
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_LE(peak_mib, kCapMib);
  EXPECT_EQ(one.refused() + many.refused(), 0U);
  std::vector<std::string> acknowledged = one.acknowledged();
  for (const std::string& id : many.acknowledged()) {
    acknowledged.push_back(fmt::format("e{}", std::stoul(id.substr(1)) + 20'000));
  }
  if (is_long()) {
    EXPECT_GT(many.sent_away(), 0U) << "it was never more than it could take";
  }
  tally.add(judged(config, path("w"), acknowledged), taken / kBatch);
  tally.note(fmt::format(
      "{} MiB at most of {}, {} before; {:.0f} events/s alone; {} sent away, {} late; "
      "drained after {:.1f} s",
      peak_mib, kCapMib, rest_mib, 20'000 / seconds, many.sent_away(), many.late(), drained));
}

}  // namespace
}  // namespace freshet
