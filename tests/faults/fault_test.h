#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "faults/oracle.h"
#include "faults/tally.h"
#include "scenario/program.h"
#include "stream/random.h"

namespace freshet {

/// A stream with ids, late labels, a promotion and a rejection, to be run and disturbed in
/// workspaces of the test's own.
class FaultTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kEvents = 10000;

  static void SetUpTestSuite();
  static void TearDownTestSuite() { scratch_.reset(); }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static std::string write(const std::string& name, const std::string& text) {
    return scratch_->write(name, text);
  }
  static const std::string& config() { return config_; }
  static const std::string& input() { return input_; }
  /// All events, as JSON lines, and their ids.
  static const std::vector<std::string>& events() { return events_; }
  static std::vector<std::string> ids(std::size_t begin = 0, std::size_t end = kEvents);
  /// `run` of an input in a workspace, as a command's arguments.
  static std::string arguments(const std::string& workspace, const std::string& input = input_);
  /// The undisturbed run of all events: made once, to be copied, and left as it is.
  static std::string reference();
  /// A copy of a workspace; gives its path.
  static std::string copied(const std::string& from, const std::string& name);
  /// After a fault: the same command, now undisturbed, goes on to the end (`text` is its standard
  /// input); how it stands then.
  static Standing gone_on(const std::string& workspace, const std::string& input = input_,
                          const std::string& text = "");

 private:
  static inline std::unique_ptr<ScratchFolder> scratch_;
  static inline std::string config_;
  static inline std::string input_;
  static inline std::vector<std::string> events_;
  static inline bool has_reference_ = false;
};

}  // namespace freshet
