// Death and errors at single system calls: of a run that takes a stream through one commit of
// everything (log, rows, artifacts, registry), found by strace and then disturbed one at a time.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "faults/clients.h"
#include "faults/fault_test.h"
#include "faults/system_calls.h"

namespace freshet {
namespace {

class SystemCalls : public FaultTest {
 protected:
  /// The first champion comes to be in the second piece.
  static constexpr std::size_t kFirst = 2160;
  static constexpr std::size_t kAll = 2360;

  static void SetUpTestSuite() {
    FaultTest::SetUpTestSuite();
    nlohmann::json small = nlohmann::json::parse(served_config());
    small["learners"].erase(1);
    small.erase("retrain");
    small_ = write("small.json", small.dump());
    before_ = write("before.jsonl", joined(events(), 0, kFirst));
    after_ = write("after.jsonl", joined(events(), kFirst, kAll));
    const Outcome outcome = freshet_program(command("base", before_));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  void SetUp() override {
    if (const std::string why = no_strace(); !why.empty()) GTEST_SKIP() << why;
    copied(path("base"), "w");
    calls_ = system_calls(command("w", after_), path("w"));
    ASSERT_GT(calls_.size(), 100U);
  }

  static std::string command(const std::string& workspace, const std::string& file) {
    return "run " + small_ + " --json -w " + path(workspace) + " -i " + file;
  }
  static Outcome disturbed(const std::string& prefix) {
    copied(path("base"), "w");
    return freshet_program(command("w", after_), prefix + " timeout --foreground 60");
  }
  static Standing stands() { return judged(small_, path("w"), ids(0, kAll)); }
  /// The same command goes on to the end.
  static Standing goes_on() {
    const Outcome outcome = freshet_program(command("w", after_), "timeout 60");
    return outcome.code == 0 ? stands() : broken("run again: " + outcome.err);
  }
  /// What a run may do that met an error: say so and stop, with nothing but the truth behind it, or
  /// go through. `may_be_mute`: what it says may have met the error too.
  static Standing after(const Outcome& outcome, bool may_be_mute = false) {
    if (outcome.code == 0) return stands();
    const bool said = outcome.err.find("freshet: ") != std::string::npos;
    if (outcome.code != 1 || !(said || may_be_mute)) {
      return broken(fmt::format("ended with {}: {}", outcome.code, outcome.err));
    }
    return goes_on();
  }
  std::vector<SystemCall> calls_named(const std::vector<std::string>& names) const {
    std::vector<SystemCall> some;
    std::copy_if(calls_.begin(), calls_.end(), std::back_inserter(some), [&](const auto& call) {
      return std::find(names.begin(), names.end(), call.name) != names.end();
    });
    return some;
  }

  std::vector<SystemCall> calls_;

 private:
  static inline std::string small_;
  static inline std::string before_;
  static inline std::string after_;
};

TEST_F(SystemCalls, AKillAtEachOfACommitChangesNothing) {
  Tally tally("kill -9 at each system call of a commit");
  KeyedGenerator draw(fault_seed(), 3);
  std::vector<SystemCall> all = calls_;
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[draw.below(i)]);
  std::size_t missed = 0;
  for (const SystemCall& call : all) {
    if (tally.count() >= tries(5, all.size())) break;
    SCOPED_TRACE(call.said());
    const Outcome outcome = disturbed(injected(call, "signal=KILL"));
    if (outcome.code == 0) {
      ++missed;  // not reached: how many there are depends on how fast the threads were
      continue;
    }
    tally.add(outcome.code == 128 + SIGKILL ? goes_on() : broken(outcome.err));
  }
  tally.note(fmt::format("{} calls, {} not reached again", calls_.size(), missed));
}

/// What a system call may answer, and which calls it is an answer of.
struct Answer {
  const char* fault;
  std::vector<std::string> calls;
};

TEST_F(SystemCalls, AnErrorOfAnyStopsTheRunOrNothingAndItGoesOn) {
  const std::vector<Answer> answers = {
      {"error=EIO", {"pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink"}},
      {"error=ENOSPC", {"pwrite64", "write", "ftruncate", "mkdir"}},
      {"retval=0", {"pwrite64", "write"}},  // as short as can be
      {"error=EIO", {"fsync", "fdatasync"}},
  };
  Tally tally("EIO, ENOSPC, nothing written, failed fsync");
  KeyedGenerator draw(fault_seed(), 4);
  std::size_t stopped = 0;
  for (std::size_t i = 0; i < tries(6, 300); ++i) {
    const Answer& answer = answers[i % answers.size()];
    const std::vector<SystemCall> calls = calls_named(answer.calls);
    const SystemCall& call = calls[draw.below(calls.size())];
    // A disk may refuse once, or from then on.
    const std::size_t times = draw.below(2) == 0 ? 1 : 10'000;
    SCOPED_TRACE(fmt::format("{} at {}, {} times", answer.fault, call.said(), times));
    const Outcome outcome = disturbed(injected(call, answer.fault, times));
    stopped += outcome.code == 0 ? 0 : 1;
    // Without a path it is any thread's call of this number: the one that writes to stderr too.
    tally.add(after(outcome, call.name == "write" && call.path.empty()));
  }
  tally.note(fmt::format("{} stopped the run", stopped));
}

// A limit that is not at a sector's end makes the kernel write a part of what it is given.
TEST_F(SystemCalls, AWriteCutShortStopsTheRunAndItGoesOn) {
  Tally tally("short writes");
  KeyedGenerator draw(fault_seed(), 5);
  std::size_t stopped = 0;
  for (std::size_t i = 0; i < tries(3, 100); ++i) {
    const std::size_t limit = 1000 + draw.below(900'000);
    SCOPED_TRACE(fmt::format("files of at most {} bytes", limit));
    const Outcome outcome = disturbed(fmt::format("prlimit --fsize={}", limit));
    stopped += outcome.code == 0 ? 0 : 1;
    tally.add(after(outcome));
  }
  tally.note(fmt::format("{} stopped the run", stopped));
}

TEST_F(SystemCalls, AServiceAcknowledgesNothingThatTheDiskRefused) {
  Tally tally("EIO, ENOSPC, failed fsync under serve");
  KeyedGenerator draw(fault_seed(), 6);
  const std::vector<std::string> some(events().begin(), events().begin() + 3000);
  const std::string few = write("few.jsonl", joined(events(), 0, 100));
  const std::vector<std::string> names = {"pwrite64", "fdatasync"};
  for (std::size_t i = 0; i < tries(2, 60); ++i) {
    const std::string workspace = path("served" + std::to_string(i));
    // The log is there: what fails is an append, not its making.
    ASSERT_EQ(freshet_program(FaultTest::arguments("served" + std::to_string(i), few)).code, 0);
    const std::string arguments = config() + " -w " + workspace;
    const SystemCall call = {names[draw.below(2)], workspace + "/pipelines/turning/log.db-wal",
                             10 + draw.below(40)};
    const char* fault =
        call.name == "pwrite64" && draw.below(2) == 0 ? "error=ENOSPC" : "error=EIO";
    SCOPED_TRACE(fmt::format("{} at {}", fault, call.said()));
    Clients clients(some, 20);
    {
      ServedProgram served(arguments, injected(call, fault));
      wait_until_ready(served);
      clients.call(served);
      for (int waits = 0; waits < 1000 && served.get("/readyz").status == 200; ++waits) {
        if (clients.done_within(20)) break;
      }
      clients.hang_up();
      EXPECT_LT(clients.acknowledged_count(), some.size()) << "the fault never came";
      EXPECT_EQ(served.get("/livez").status, 200) << "it answers, all the same";
      served.stop();
    }
    ServedProgram served(arguments);
    clients.call(served);
    EXPECT_TRUE(clients.done_within(30'000));
    clients.hang_up();
    settled(served, some.size());
    EXPECT_EQ(served.stop().code, 0);
    tally.add(judged(config(), workspace, clients.acknowledged()));
    std::filesystem::remove_all(workspace);
  }
}

}  // namespace
}  // namespace freshet
