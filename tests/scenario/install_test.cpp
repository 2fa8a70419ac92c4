// What `cmake --install` puts into a prefix works there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "scenario/program.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Install : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    ASSERT_EQ(shell(fmt::format("{} --install {} --prefix {}", FRESHET_CMAKE, FRESHET_BUILD,
                                scratch_->path("p"))),
              0)
        << text_of(scratch_->path("out"));
  }
  static void TearDownTestSuite() { delete scratch_; }

  static int shell(const std::string& line) {
    return std::system((line + " >" + scratch_->path("out") + " 2>&1").c_str());
  }
  static std::string installed(const std::string& path) { return scratch_->path("p/" + path); }

  static inline ScratchFolder* scratch_ = nullptr;
};

TEST_F(Install, TheProgramRunsAndFindsItsTrainingModule) {
  ASSERT_EQ(shell(installed("bin/freshet") + " version"), 0);
  EXPECT_THAT(text_of(scratch_->path("out")), HasSubstr("freshet "));
  const std::string config = scratch_->write("config.json", turning_config());
  const std::string csv = scratch_->write("events.csv", joined(turning_csv(1500), 0, 1501));
  EXPECT_EQ(shell(fmt::format("env -u FRESHET_TORCH_MODULE {} run {} -w {} -i {}",
                              installed("bin/freshet"), config, scratch_->path("w"), csv)),
            0)
      << text_of(scratch_->path("out"));
}

TEST_F(Install, TheManPageHasEveryCommandAndItsOptions) {
  const std::string page = text_of(installed("share/man/man1/freshet.1"));
  EXPECT_THAT(page, HasSubstr(".TH FRESHET 1"));
  for (const char* command :
       {"serve", "demo", "run", "predict", "backtest", "token add", "registry promote",
        "registry rollback", "pipeline apply", "events append", "version"}) {
    EXPECT_THAT(page, HasSubstr(std::string(".SS \\fBfreshet ") + command)) << command;
  }
  EXPECT_THAT(page, HasSubstr("\\-\\-tls\\-certificate"));
  EXPECT_THAT(page, HasSubstr("FRESHET_CA"));
  EXPECT_THAT(page, Not(HasSubstr("help\\-man")));
}

TEST_F(Install, TheUnitStartsTheInstalledProgram) {
  const std::string unit = text_of(installed("lib/systemd/system/freshet.service"));
  EXPECT_THAT(unit, HasSubstr("ExecStart=" + installed("bin/freshet") + " serve "));
  EXPECT_THAT(unit, Not(HasSubstr("@FRESHET")));
}

}  // namespace
}  // namespace freshet
