// The command line beside a server: what it says and does is what it would without one.
#include "orchestrator/owner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <thread>

#include "orchestrator/workspace.h"
#include "scenario/program.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 9000;

/// A workspace that is served as long as this lives.
class ServedWorkspace {
 public:
  explicit ServedWorkspace(const std::string& folder)
      : server_("serve -w " + folder + " --listen 127.0.0.1:0") {
    for (int tries = 0; tries < 5000 && !Workspace::owner_url(folder); ++tries) {
      if (server_.ends_within(10)) break;
    }
  }
  ~ServedWorkspace() { stop(); }

  void signal(int number) { server_.signal(number); }
  Outcome stop() {
    server_.signal(SIGTERM);
    return server_.end();
  }

 private:
  RunningProgram server_;
};

class CommandsBesideAServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    const std::string config = scratch_->write("config.json", turning_config());
    const std::string csv =
        scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    const Outcome outcome =
        freshet_program("run " + config + " -w " + scratch_->path("first") + " -i " + csv);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  static void TearDownTestSuite() { delete scratch_; }

  void SetUp() override {
    for (const char* name : {"alone", "served"}) {
      fs::remove_all(scratch_->path(name));
      fs::copy(scratch_->path("first"), scratch_->path(name), fs::copy_options::recursive);
    }
  }

  static Outcome at(const char* workspace, const std::string& arguments,
                    const std::string& input = "", const std::string& prefix = "") {
    return freshet_program(arguments + " -w " + scratch_->path(workspace), prefix, input);
  }
  /// The same command on both, with the same outcome.
  static void expect_same(const std::string& arguments) {
    const Outcome alone = at("alone", arguments);
    const Outcome served = at("served", arguments);
    EXPECT_EQ(served.code, alone.code) << arguments;
    EXPECT_EQ(served.out, alone.out) << arguments;
    EXPECT_EQ(served.err, alone.err) << arguments;
  }
  static void expect_same_state() {
    EXPECT_EQ(fingerprint_of(scratch_->path("served")).dump(2),
              fingerprint_of(scratch_->path("alone")).dump(2));
  }

  static inline ScratchFolder* scratch_ = nullptr;
};

TEST_F(CommandsBesideAServer, DecideTheSameInTheSameWords) {
  ServedWorkspace server(scratch_->path("served"));
  expect_same("pipeline pause --reason 'a look first'");
  expect_same("registry rollback --reason 'too many complaints'");
  expect_same("pipeline resume --reason 'all is well'");
  expect_same("registry promote 1 --reason 'as before'");
  EXPECT_EQ(server.stop().code, 0);
  expect_same_state();
}

TEST_F(CommandsBesideAServer, AreRefusedInTheSameWords) {
  const ServedWorkspace server(scratch_->path("served"));
  expect_same("registry promote 99 --reason 'why not'");
  expect_same("registry rollback --to 99 --reason 'why not'");
  expect_same("registry approve 1 --reason 'why not'");
  expect_same("pipeline pause -p other --reason 'why not'");
}

TEST_F(CommandsBesideAServer, ApplyAPolicy) {
  std::string text = turning_config();
  text.replace(text.find("\"rows\": 4000"), 12, "\"rows\": 5000");
  const std::string changed = scratch_->write("changed.json", text);
  ServedWorkspace server(scratch_->path("served"));
  expect_same("pipeline apply " + changed + " --reason 'calmer'");
  expect_same("pipeline apply " + changed + " --reason 'calmer'");
  expect_same("pipeline apply " + changed + " --reason 'calmer' --json");
  expect_same("pipeline show");
  EXPECT_EQ(server.stop().code, 0);
  expect_same_state();
}

TEST_F(CommandsBesideAServer, AppendTheSameFromCsv) {
  // The server takes JSON lines; "007" and ".5" are numbers in CSV alone.
  std::string csv =
      "y,x,kind,label,other\n007,.5,\"a \"\"b\"\", c\",1,7\n1,2,,0,\n,-1e3,7,true,x\n";
  const auto more = turning_csv(500);
  csv += "no number,1,a,0,\n";
  const std::string odd = scratch_->write("odd.csv", csv);
  const std::string file = scratch_->write("more.csv", joined(more, 0, more.size()));
  ServedWorkspace server(scratch_->path("served"));
  const Outcome alone = at("alone", "events append --json -i " + odd + " " + file);
  const Outcome served = at("served", "events append --json -i " + odd + " " + file);
  EXPECT_EQ(served.code, 0) << served.err;
  EXPECT_EQ(served.out, alone.out);
  EXPECT_EQ(alone.json()["dead_letters"], 1);
  EXPECT_EQ(at("served", "events tail -n 503").out, at("alone", "events tail -n 503").out);
  EXPECT_EQ(server.stop().code, 0);
}

TEST_F(CommandsBesideAServer, PredictAsTheStoredChampionDoes) {
  const std::string events =
      "{\"x\":1,\"y\":-0.5,\"kind\":\"a\"}\n\n{\"x\":-2,\"y\":1e-3,\"kind\":null}\n";
  const Outcome alone = at("alone", "predict --json", events);
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(at("alone", "predict --durable", events).code, 1);
  const auto first = nlohmann::json::parse(alone.out.substr(0, alone.out.find('\n')));
  EXPECT_GT(first["answer"].get<double>(), 0);
  EXPECT_LT(first["answer"].get<double>(), 1);

  ServedWorkspace server(scratch_->path("served"));
  const auto head = [] { return at("served", "events stats --json").json()["head"].get<int>(); };
  const int before = head();
  const Outcome served = at("served", "predict --no-record --json", events);
  EXPECT_EQ(served.out, alone.out) << served.err;
  EXPECT_EQ(at("served", "predict --no-record", events).out, at("alone", "predict", events).out);
  EXPECT_EQ(head(), before);
  const Outcome durable = at("served", "predict --durable --json", events);
  EXPECT_THAT(durable.out, HasSubstr("\"recorded\""));
  EXPECT_EQ(head(), before + 2);
}

TEST_F(CommandsBesideAServer, SayWhichEventIsBad) {
  const ServedWorkspace server(scratch_->path("served"));
  for (const char* workspace : {"alone", "served"}) {
    const Outcome text = at(workspace, "predict", "{\"x\":1}\nno event\n");
    EXPECT_EQ(text.code, 1);
    EXPECT_THAT(text.err, HasSubstr("-:2: expected one JSON object a line")) << workspace;
    const Outcome field = at(workspace, "predict", "{\"x\":1}\n{\"x\":\"many\"}\n");
    EXPECT_EQ(field.code, 1);
    EXPECT_THAT(field.err, HasSubstr("-, lines 1 to 2: event 2: field `x`: found")) << workspace;
  }
}

TEST_F(CommandsBesideAServer, EndAtOneSignalWhereNoAnswerComes) {
  ServedWorkspace server(scratch_->path("served"));
  server.signal(SIGSTOP);
  RunningProgram command("pipeline pause --reason waits -w " + scratch_->path("served"));
  EXPECT_FALSE(command.ends_within(300));
  command.signal(SIGINT);
  EXPECT_TRUE(command.ends_within(10'000));
  EXPECT_EQ(command.end().code, 130);
  server.signal(SIGCONT);
}

TEST_F(CommandsBesideAServer, NeedTheToken) {
  const ServedWorkspace server(scratch_->path("served"));
  const Outcome outcome = at("served", "pipeline pause --reason 'why not'", "",
                             "FRESHET_TOKEN=0123456789abcdef0123456789abcdef");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("FRESHET_TOKEN"));
  EXPECT_THAT(at("served", "registry history").out, ::testing::Not(HasSubstr("why not")));
}

}  // namespace
}  // namespace freshet
