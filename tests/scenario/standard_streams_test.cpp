// Standard input, output and error that are closed, full, or limited: what is said never ends what
// is done, and what is printed is not lost unseen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "scenario/program.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kEvents = 4000;

class StandardStreams : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("config.json", turning_config());
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    ASSERT_EQ(freshet_program(run("whole")).code, 0);
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static std::string run(const std::string& workspace) {
    return "run " + config_ + " --json -w " + path(workspace) + " -i " + csv_;
  }
  /// A shell that becomes the program with `streams` changed.
  static std::string with(const std::string& streams) {
    return "sh -c 'exec \"$@\" " + streams + "' sh";
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
};

TEST_F(StandardStreams, AMessageThatCannotBeWrittenEndsNothing) {
  for (const char* streams : {"2>/dev/full", "2>&-"}) {
    const std::string workspace = std::string("said") + streams[2];
    EXPECT_EQ(freshet_program(run("'" + workspace + "'"), with(streams)).code, 0) << streams;
    EXPECT_EQ(fingerprint_of("'" + path(workspace) + "'"), fingerprint_of(path("whole")));
    EXPECT_EQ(freshet_program("registry list -w " + path("nowhere"), with(streams)).code, 1);
  }
}

TEST_F(StandardStreams, OutputThatCannotBeWrittenIsAnError) {
  for (const char* command :
       {"registry list -w ", "registry history -w ", "events stats -w ", "workspace check -w "}) {
    for (const char* streams : {">/dev/full", ">&-"}) {
      SCOPED_TRACE(std::string(command) + streams);
      const Outcome outcome = freshet_program(command + path("whole"), with(streams));
      EXPECT_EQ(outcome.code, 1);
      EXPECT_THAT(outcome.err, HasSubstr("standard output cannot be written"));
    }
  }
}

TEST_F(StandardStreams, NoFileOfAWorkspaceTakesThePlaceOfOneThatIsClosed) {
  ASSERT_EQ(freshet_program(run("closed"), with("<&- 2>&-")).code, 0);
  std::ifstream lock(path("closed") + "/lock");
  const std::string held(std::istreambuf_iterator<char>(lock), {});
  EXPECT_EQ(held.find_first_not_of("0123456789\n"), std::string::npos) << held;
  const Outcome outcome =
      freshet_program("events append --format csv -i - -w " + path("closed"), with("<&-"));
  EXPECT_THAT(outcome.err, HasSubstr("standard input: is empty"));
}

TEST_F(StandardStreams, ALimitOnFilesIsAnErrorOfTheWriteThatMeetsIt) {
  const Outcome outcome = freshet_program(run("limited"), "prlimit --fsize=100000");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(path("limited")));
  ASSERT_EQ(freshet_program(run("limited")).code, 0);
  EXPECT_EQ(fingerprint_of(path("limited")), fingerprint_of(path("whole")));
}

}  // namespace
}  // namespace freshet
