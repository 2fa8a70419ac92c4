// The machine and its people at their worst: full disks, folders that cannot be written to, two
// processes at once, interrupts, damage. What can go on ends with the same bits as a run that had
// none of it.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "scenario/program.h"
#include "stream/random.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 10000;

class Faults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("config.json", turning_config());
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    const Outcome outcome = freshet_program(arguments("reference"));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_GE(outcome.json()["promotions"].get<int>(), 1);
    reference_ = fingerprint_of(path("reference"));
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static std::string arguments(const std::string& workspace) { return arguments(workspace, csv_); }
  static std::string arguments(const std::string& workspace, const std::string& input) {
    return "run " + config_ + " --json -w " + path(workspace) + " -i " + input;
  }
  /// The same command, undisturbed, ends where the reference did.
  static void expect_goes_on(const std::string& workspace, const std::string& input = csv_,
                             const std::string& text = "") {
    const Outcome outcome = freshet_program(arguments(workspace, input), "timeout 60", text);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(fingerprint_of(path(workspace)).dump(2), reference_.dump(2));
    EXPECT_EQ(freshet_program("registry verify -w " + path(workspace)).code, 0);
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
  static inline nlohmann::json reference_;
};

// A limit on the size of files refuses writes as a full disk does, and needs no rights. In turn it
// stops the registry's first page, the log, the rows and a checkpoint.
TEST_F(Faults, AFullDiskStopsTheRunAndWithRoomAgainTheSameCommandGoesOn) {
  for (const std::string blocks : {"8", "400", "1600", "2200"}) {
    SCOPED_TRACE(blocks + " blocks of 512 bytes a file");
    const std::string workspace = "full" + blocks;
    const Outcome outcome =
        freshet_program(arguments(workspace), "trap '' XFSZ; ulimit -f " + blocks + "; timeout 60");
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("run again"));
    expect_goes_on(workspace);
  }
}

TEST_F(Faults, AKillByTheFileSizeLimitChangesNothing) {
  const Outcome outcome =
      freshet_program(arguments("limit"), "ulimit -c 0; ulimit -f 1600; timeout --foreground 60");
  EXPECT_NE(outcome.code, 0);
  expect_goes_on("limit");
}

// A mount of the process's own needs to be root.
TEST_F(Faults, AFileSystemWithoutRoomIsSaidSoAndWithRoomTheRunGoesOn) {
  if (std::system("unshare -m true 2>/dev/null") != 0) GTEST_SKIP() << "no mount namespaces";
  const std::string folder = path("small");
  fs::create_directory(folder);
  const std::string script =
      scratch_->write("small.sh", "mount -t tmpfs -o size=1m small " + folder + " || exit 77\n" +
                                      "\"$@\" -w " + folder + "/w >/dev/null && exit 78\n" +
                                      "mount -o remount,size=64m " + folder + " || exit 77\n" +
                                      "\"$@\" -w " + folder + "/w >/dev/null || exit 79\n" +
                                      "cp -r " + folder + "/w " + path("moved") + "\n");
  const Outcome outcome = freshet_program("run " + config_ + " --json -i " + csv_,
                                          "unshare -m timeout 60 sh " + script);
  if (outcome.code == 77) GTEST_SKIP() << "no tmpfs may be mounted: " << outcome.err;
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the disk is full"));
  EXPECT_EQ(fingerprint_of(path("moved")).dump(2), reference_.dump(2));
}

TEST_F(Faults, AFolderThatCannotBeWrittenToIsNamed) {
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

TEST_F(Faults, AnInterruptedRunSaysHowToGoOnAndDoes) {
  const std::string text = joined(turning_jsonl(kEvents), 0, kEvents);
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
    expect_goes_on(workspace, "-", text);
  }
}

TEST_F(Faults, InterruptsAtRandomMomentsChangeNothing) {
  KeyedGenerator generator(13);
  for (int i = 0; i < 5; ++i) {
    RunningProgram program(arguments("restless"));
    program.ends_within(20 + static_cast<int>(generator.below(300)));
    program.signal(SIGINT);
    const int code = program.end().code;
    EXPECT_TRUE(code == 0 || code == 128 + SIGINT) << code;  // the latter before it listens
  }
  expect_goes_on("restless");
}

TEST_F(Faults, ASecondProcessIsRefusedAndDoesNotDisturbTheFirst) {
  const std::string text = joined(turning_jsonl(kEvents), 0, kEvents);
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
  expect_goes_on("shared", "-", text);
}

TEST_F(Faults, OfTwoThatStartTogetherOneRuns) {
  RunningProgram a(arguments("race"));
  RunningProgram b(arguments("race"));
  const Outcome first = a.end();
  const Outcome second = b.end();
  // The other came too late to be refused, or was.
  for (const Outcome& outcome : {first, second}) {
    if (outcome.code == 0) continue;
    EXPECT_THAT(outcome.err, HasSubstr("another freshet process owns this workspace"));
  }
  EXPECT_TRUE(first.code == 0 || second.code == 0) << first.err << second.err;
  expect_goes_on("race");
}

void flip(const std::string& file, std::streamoff at) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(at);
  const int byte = bytes.get();
  bytes.seekp(at);
  bytes.put(static_cast<char>(byte ^ 0x10));
}

TEST_F(Faults, EachFlippedByteOfAnArtifactIsNamed) {
  const std::string workspace = path("flipped");
  fs::copy(path("reference"), workspace, fs::copy_options::recursive);
  const auto artifact = fs::directory_iterator(workspace + "/artifacts")->path();
  const auto size = static_cast<std::uint64_t>(fs::file_size(artifact));
  KeyedGenerator generator(14);
  std::vector<std::uint64_t> places = {0, 7, 8, size - 1};  // length, header, last weight
  for (int i = 0; i < 12; ++i) places.push_back(generator.below(size));
  for (const std::uint64_t place : places) {
    SCOPED_TRACE(place);
    flip(artifact.string(), static_cast<std::streamoff>(place));
    const Outcome verify = freshet_program("registry verify -w " + workspace);
    EXPECT_EQ(verify.code, 3);
    EXPECT_THAT(verify.out, HasSubstr(artifact.filename().string()));
    flip(artifact.string(), static_cast<std::streamoff>(place));
  }
  EXPECT_EQ(freshet_program("registry verify -w " + workspace).code, 0);
}

TEST_F(Faults, ADamagedBatchOfTheLogStopsWhatReadsIt) {
  const std::string workspace = path("batch");
  fs::copy(path("reference"), workspace, fs::copy_options::recursive);
  {
    SQLite::Database log(workspace + "/pipelines/turning/log.db", SQLite::OPEN_READWRITE);
    log.exec("UPDATE batches SET payload = zeroblob(length(payload)) WHERE first = 0");
  }
  const Outcome verify = freshet_program("registry verify -w " + workspace);
  EXPECT_EQ(verify.code, 3) << verify.out;
  EXPECT_THAT(verify.out, HasSubstr("[0, "));
  const Outcome copy =
      freshet_program("run " + config_ + " -w " + path("copy") + " --from-log " + workspace);
  EXPECT_EQ(copy.code, 1);
  EXPECT_THAT(copy.err, HasSubstr("[0, "));
}

}  // namespace
}  // namespace freshet
