// The wall clock is wrong, or jumps: nothing that is decided looks at it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>

#include "faults/clients.h"
#include "faults/fault_test.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

class WallClock : public FaultTest {
 protected:
  void SetUp() override {
    const fs::path libraries = "/usr/lib";
    std::error_code ignored;
    for (const auto& folder : fs::directory_iterator(libraries, ignored)) {
      const fs::path library = folder.path() / "faketime/libfaketimeMT.so.1";
      if (fs::exists(library, ignored)) library_ = library.string();
    }
    if (library_.empty()) GTEST_SKIP() << "libfaketime is not installed";
    const Outcome version = freshet_program("--help", clock("FAKETIME=+10y"));
    if (version.code != 0) GTEST_SKIP() << "libfaketime doesn't go with this build";
    ASSERT_GT(year(clock("FAKETIME=+10y")), year("") + 8) << "the clock is the right one";
  }

  /// The prefix under which the program's wall clock is another one.
  std::string clock(const std::string& setting) const {
    return "env LD_PRELOAD=" + library_ + " FAKETIME_DONT_FAKE_MONOTONIC=1 " + setting;
  }

 private:
  static int year(const std::string& prefix) {
    std::FILE* out = ::popen((prefix + " date +%Y").c_str(), "r");
    int year = 0;
    if (std::fscanf(out, "%d", &year) != 1) year = 0;
    ::pclose(out);
    return year;
  }

  std::string library_;
};

TEST_F(WallClock, OfAnotherYearDecidesNothing) {
  Tally tally("wall clock off by 1 h, 10 years");
  for (const std::string offset : {"+1h", "-1h", "+10y", "-10y"}) {
    SCOPED_TRACE(offset);
    const std::string workspace = "off" + offset;
    const Outcome outcome = freshet_program(arguments(workspace), clock("FAKETIME=" + offset));
    tally.add(outcome.code == 0 ? judged(config(), path(workspace), ids()) : broken(outcome.err));
  }
}

/// A clock that is set anew many times a second, as long as this lives.
class JumpingClock {
 public:
  JumpingClock(std::string file, std::uint64_t seed) : file_(std::move(file)), draw_(seed, 18) {
    jump();
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
        jump();
      }
    });
  }

 private:
  void jump() {
    static const std::vector<std::string> kOffsets = {"+0s", "+1h", "-1h", "+10y", "-10y"};
    const std::string fresh = file_ + ".new";  // renamed: it is never read half written
    if (std::FILE* out = std::fopen(fresh.c_str(), "w")) {
      std::fputs((kOffsets[draw_.below(kOffsets.size())] + "\n").c_str(), out);
      std::fclose(out);
    }
    std::rename(fresh.c_str(), file_.c_str());
  }

  std::string file_;
  KeyedGenerator draw_;
  std::jthread thread_;
};

TEST_F(WallClock, ThatJumpsWhileItRunsDecidesNothing) {
  Tally tally("wall clock jumps by 1 h, 10 years");
  const std::string file = path("clock");
  const std::string prefix = clock("FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=" + file);
  for (std::size_t i = 0; i < tries(1, 10); ++i) {
    const JumpingClock jumping(file, fault_seed() + i);
    const std::string run = "run" + std::to_string(i);
    const Outcome outcome = freshet_program(arguments(run), prefix);
    tally.add(outcome.code == 0 ? judged(config(), path(run), ids()) : broken(outcome.err));
    const std::string workspace = path("served" + std::to_string(i));
    ServedProgram served(config() + " -w " + workspace, prefix);
    Clients clients(events(), 50);
    clients.call(served);
    EXPECT_TRUE(clients.done_within(60'000));
    clients.hang_up();
    settled(served, kEvents);
    EXPECT_EQ(served.stop().code, 0);
    tally.add(judged(config(), workspace, clients.acknowledged()));
  }
}

}  // namespace
}  // namespace freshet
