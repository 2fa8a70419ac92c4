// The machine and its people: full disks, folders that cannot be written to, two processes at once,
// interrupts. What can go on ends with the same bits as a run that had none of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "faults/clients.h"
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

// A file system of its own that `command`s can be run inside of; gone with this.
class SmallDisk {
 public:
  SmallDisk(const std::string& folder, const std::string& size) : folder_(folder) {
    const std::string ready = folder + ".ready";
    const std::string script = fmt::format(
        "mount -t tmpfs -o size={} small {} && touch {} && exec sleep 300", size, folder, ready);
    process_ = ::fork();
    if (process_ == 0) {
      ::execlp("unshare", "unshare", "-m", "sh", "-c", script.c_str(), nullptr);
      ::_exit(127);
    }
    while (!fs::exists(ready) && ::waitpid(process_, nullptr, WNOHANG) == 0) ::usleep(1000);
    is_there_ = fs::exists(ready);
  }
  ~SmallDisk() {
    if (!is_there_) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// False: nothing may be mounted here.
  bool is_there() const { return is_there_; }
  std::string prefix() const { return fmt::format("nsenter -t {} -m", process_); }
  bool run(const std::string& command) const {
    return std::system((prefix() + " " + command).c_str()) == 0;
  }
  bool resize(const std::string& size) const {
    return run(fmt::format("mount -o remount,size={} {}", size, folder_));
  }

 private:
  const std::string folder_;
  pid_t process_ = -1;
  bool is_there_ = false;
};

TEST_F(Machine, AServiceOnAFullDiskAnswersAndGoesOnByItselfOnceThereIsRoom) {
  constexpr std::size_t kWithChampion = 2500;
  Tally tally("a service on a full disk, then with room");
  KeyedGenerator draw(fault_seed(), 15);
  for (std::size_t i = 0; i < tries(1, 20); ++i) {
    const std::uint64_t kib = i == 0 ? 7000 : 5500 + draw.below(4000);
    SCOPED_TRACE(fmt::format("{} KiB", kib));
    const std::string folder = path(fmt::format("tight{}", i));
    fs::create_directory(folder);
    const SmallDisk disk(folder, fmt::format("{}k", kib));
    if (!disk.is_there()) GTEST_SKIP() << "no tmpfs may be mounted";
    Clients clients(events(), 20);
    {
      ServedProgram served(config() + " -w " + folder + "/w", disk.prefix());
      wait_until_ready(served);
      const std::string first = joined(events(), 0, kWithChampion);
      ASSERT_EQ(served.post(kPipeline + "/events", first).status, 200);
      settled(served, kWithChampion);
      clients.call(served);
      for (int waits = 0; waits < 1500 && served.get("/readyz").status == 200; ++waits) {
        ::usleep(20'000);
      }
      EXPECT_LT(clients.acknowledged_count(), kEvents) << "it was never full";
      EXPECT_THAT(served.get(kPipeline).body, HasSubstr("goes on by itself once 64 MiB are free"));
      const Reply answer = served.post(kPipeline + "/predict",
                                       R"({"event":)" + events().front() + R"(,"record":false})");
      EXPECT_EQ(answer.status, 200) << answer.body;
      ASSERT_TRUE(disk.resize("256m"));
      EXPECT_TRUE(clients.done_within(60'000));
      clients.hang_up();
      settled(served, kEvents);
      EXPECT_EQ(served.stop().code, 0);
    }
    const std::string moved = path(fmt::format("moved{}", i));
    ASSERT_TRUE(disk.run("cp -r " + folder + "/w " + moved));
    tally.add(judged(config(), moved, clients.acknowledged()));
  }
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
