#include "faults/tally.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>
#include <vector>

namespace freshet {

bool is_long() {
  const char* form = std::getenv("FRESHET_FAULTS");
  return form != nullptr && std::string_view(form) == "long";
}

std::uint64_t fault_seed() {
  const char* seed = std::getenv("FRESHET_FAULTS_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

namespace {

std::vector<std::string>& lines() {
  static std::vector<std::string> all;
  return all;
}

/// Prints what all tallies of the process have found, at its end.
class Table : public ::testing::Environment {
 public:
  void TearDown() override {
    fmt::print("\nseed {}{}\n{:<44} {:>6} {:>8} {:>5} {:>8} {:>9}\n", fault_seed(),
               is_long() ? ", long" : "", "fault", "tries", "survived", "lost", "doubled",
               "differing");
    for (const std::string& line : lines()) fmt::print("{}\n", line);
  }
};

const ::testing::Environment* const kTable = ::testing::AddGlobalTestEnvironment(new Table);

}  // namespace

Tally::~Tally() {
  std::string line = fmt::format("{:<44} {:>6} {:>8} {:>5} {:>8} {:>9}", fault_, tries_, survived_,
                                 lost_, doubled_, differing_);
  if (!note_.empty()) line += "  " + note_;
  if (is_long()) fmt::print(stderr, "{}\n", line);  // the table comes much later
  lines().push_back(std::move(line));
  EXPECT_EQ(lost_, 0U) << fault_;
  EXPECT_EQ(doubled_, 0U) << fault_;
  EXPECT_EQ(differing_, 0U) << fault_;
  EXPECT_EQ(survived_, tries_) << fault_;
  if (::testing::Test::IsSkipped()) return;
  EXPECT_GT(tries_, 0U) << fault_ << " was never tried";
}

void Tally::add(const Standing& standing, std::size_t tries) {
  tries_ += tries;
  lost_ += standing.lost;
  doubled_ += standing.doubled;
  differing_ += standing.differs ? 1 : 0;
  if (standing.holds()) {
    survived_ += tries;
  } else if (tries > 0) {
    survived_ += tries - 1;
  }
  EXPECT_TRUE(standing.holds()) << fault_ << ": " << standing.said;
}

void Tally::add(bool held, const std::string& said) {
  Standing standing;
  standing.differs = !held;
  standing.said = said;
  add(standing);
}

}  // namespace freshet
