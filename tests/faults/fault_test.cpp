#include "faults/fault_test.h"

#include <fmt/format.h>

#include <filesystem>

#include "scenario/service.h"

namespace freshet {

namespace fs = std::filesystem;

void FaultTest::SetUpTestSuite() {
  scratch_ = std::make_unique<ScratchFolder>();
  events_ = served_events(kEvents);
  config_ = scratch_->write("config.json", served_config());
  input_ = scratch_->write("events.jsonl", joined(events_, 0, kEvents));
  has_reference_ = false;
}

std::vector<std::string> FaultTest::ids(std::size_t begin, std::size_t end) {
  std::vector<std::string> all;
  for (std::size_t i = begin; i < end; ++i) all.push_back(fmt::format("e{}", i));
  return all;
}

std::string FaultTest::arguments(const std::string& workspace, const std::string& input) {
  return "run " + config_ + " --json -w " + path(workspace) + " -i " + input;
}

std::string FaultTest::reference() {
  if (!has_reference_) {
    const Outcome outcome = freshet_program(arguments("reference"));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_GE(outcome.json().at("promotions").get<int>(), 1);
    has_reference_ = true;
  }
  return path("reference");
}

std::string FaultTest::copied(const std::string& from, const std::string& name) {
  fs::remove_all(path(name));
  fs::copy(from, path(name), fs::copy_options::recursive);
  return path(name);
}

Standing FaultTest::gone_on(const std::string& workspace, const std::string& input,
                            const std::string& text) {
  const Outcome outcome = freshet_program(arguments(workspace, input), "timeout 120", text);
  if (outcome.code != 0) return broken("the same command, run again: " + outcome.err);
  return judged(config_, path(workspace), ids());
}

}  // namespace freshet
