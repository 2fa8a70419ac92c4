// The machine and its people: full disks, folders that cannot be written to, two processes at once,
// interrupts. What can go on ends with the same bits as a run that had none of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "faults/fault_test.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Machine : public FaultTest {};

// A limit on the size of files refuses writes as a full disk does, and needs no rights. In turn it
// stops the registry's first page, the log, the rows and a checkpoint.
TEST_F(Machine, AFullDiskStopsTheRunAndWithRoomAgainTheSameCommandGoesOn) {
  Tally tally("full disk (limit on file size)");
  std::vector<std::size_t> all = {8, 400, 1600, 2200};  // blocks of 512 bytes
  KeyedGenerator draw(fault_seed(), 8);
  while (all.size() < tries(4, 60)) all.push_back(8 + draw.below(2200));
  for (const std::size_t blocks : all) {
    SCOPED_TRACE(fmt::format("{} blocks a file", blocks));
    const std::string workspace = fmt::format("full{}", blocks);
    const Outcome outcome =
        freshet_program(arguments(workspace), fmt::format("ulimit -f {}; timeout 60", blocks));
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("run again"));
    tally.add(gone_on(workspace));
    fs::remove_all(path(workspace));
  }
}

TEST_F(Machine, AKillByTheFileSizeLimitChangesNothing) {
  Tally tally("killed by the limit on file size");
  const Outcome outcome =
      freshet_program(arguments("limit"), "ulimit -c 0; ulimit -f 1600; timeout --foreground 60");
  EXPECT_NE(outcome.code, 0);
  tally.add(gone_on("limit"));
}

// A mount of the process's own needs to be root.
TEST_F(Machine, AFileSystemWithoutRoomIsSaidSoAndWithRoomTheRunGoesOn) {
  if (std::system("unshare -m true 2>/dev/null") != 0) GTEST_SKIP() << "no mount namespaces";
  Tally tally("a file system without room");
  const std::string folder = path("small");
  fs::create_directory(folder);
  const std::string script =
      write("small.sh", "mount -t tmpfs -o size=1m small " + folder + " || exit 77\n" +
                            "\"$@\" -w " + folder + "/w >/dev/null && exit 78\n" +
                            "mount -o remount,size=64m " + folder + " || exit 77\n" + "\"$@\" -w " +
                            folder + "/w >/dev/null || exit 79\n" + "cp -r " + folder + "/w " +
                            path("moved") + "\n");
  const Outcome outcome = freshet_program("run " + config() + " --json -i " + input(),
                                          "unshare -m timeout 60 sh " + script);
  if (outcome.code == 77) GTEST_SKIP() << "no tmpfs may be mounted: " << outcome.err;
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the disk is full"));
  tally.add(judged(config(), path("moved"), ids()));
}

TEST_F(Machine, AFolderThatCannotBeWrittenToIsNamed) {
  const std::string folder = path("locked");
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  const std::string nobody =
      ::geteuid() == 0 ? "setpriv --bounding-set -all --inh-caps -all " : std::string();
  const Outcome outcome = freshet_program(arguments("locked/w"), nobody);
  fs::permissions(folder, fs::perms::owner_all);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(folder + "/w"));
}

TEST_F(Machine, AnInterruptedRunSaysHowToGoOnAndDoes) {
  Tally tally("interrupted by Ctrl-C or SIGTERM");
  const std::string text = joined(events(), 0, kEvents);
  for (const int signal : {SIGINT, SIGTERM}) {
    SCOPED_TRACE(signal);
    const std::string workspace = "interrupted" + std::to_string(signal);
    RunningProgram program(arguments(workspace, "-"));
    program.feed(text.substr(0, text.size() / 2));  // more than a pipe holds: it has begun
    program.signal(signal);
    const Outcome outcome = program.end();
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.err, HasSubstr("the same command goes on from here"));
    EXPECT_LT(outcome.json()["rows"].get<std::size_t>(), kEvents / 2);
    tally.add(gone_on(workspace, "-", text));
  }
}

TEST_F(Machine, InterruptsAtRandomMomentsChangeNothing) {
  Tally tally("interrupted at random moments");
  KeyedGenerator draw(fault_seed(), 9);
  for (std::size_t stream = 0; stream < tries(1, 20); ++stream) {
    const std::string workspace = "restless" + std::to_string(stream);
    for (int i = 0; i < 5; ++i) {
      RunningProgram program(arguments(workspace));
      program.ends_within(20 + static_cast<int>(draw.below(300)));
      program.signal(SIGINT);
      const int code = program.end().code;
      EXPECT_TRUE(code == 0 || code == 128 + SIGINT) << code;  // the latter before it listens
    }
    tally.add(gone_on(workspace), 5);
  }
}

TEST_F(Machine, ASecondProcessIsRefusedAndDoesNotDisturbTheFirst) {
  Tally tally("a second process while the first runs");
  const std::string text = joined(events(), 0, kEvents);
  RunningProgram first(arguments("shared", "-"));
  first.feed(text.substr(0, text.size() / 2));
  for (int i = 0; i < 3; ++i) {
    const Outcome second = freshet_program(arguments("shared"));
    EXPECT_EQ(second.code, 1);
    EXPECT_THAT(second.err, HasSubstr("another freshet process owns this workspace"));
    const Outcome reader = freshet_program("registry list -w " + path("shared"));
    EXPECT_EQ(reader.code, 0) << reader.err;
  }
  first.signal(SIGINT);
  EXPECT_EQ(first.end().code, 0);
  tally.add(gone_on("shared", "-", text), 3);
}

TEST_F(Machine, OfTwoThatStartTogetherOneRuns) {
  Tally tally("two processes that start together");
  for (std::size_t i = 0; i < tries(1, 40); ++i) {
    const std::string workspace = "race" + std::to_string(i);
    RunningProgram a(arguments(workspace));
    RunningProgram b(arguments(workspace));
    const Outcome first = a.end();
    const Outcome second = b.end();
    // The other came too late to be refused, or was.
    for (const Outcome& outcome : {first, second}) {
      if (outcome.code == 0) continue;
      EXPECT_THAT(outcome.err, HasSubstr("another freshet process owns this workspace"));
    }
    EXPECT_TRUE(first.code == 0 || second.code == 0) << first.err << second.err;
    tally.add(gone_on(workspace));
  }
}

}  // namespace
}  // namespace freshet
