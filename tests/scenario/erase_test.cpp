// A person's data go from a workspace for good, whatever dies meanwhile, and the rest goes on.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "scenario/service.h"
#include "stream/random.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 6000;
constexpr std::size_t kBefore = 5000;
const std::string kPerson = "Zebulon Quux";  // 40 events, ids zq-0, zq-150 …
const std::string kErase = "events erase --key 'person=" + kPerson + "' --reason 'by request' -w ";

bool is_theirs(std::size_t event) { return event % 150 == 0; }

std::vector<std::string> persons_events() {
  std::vector<std::string> lines = served_events(kEvents);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    json event = json::parse(lines[i]);
    event["person"] = is_theirs(i) ? kPerson : "someone " + std::to_string(i % 7);
    if (is_theirs(i)) event["id"] = "zq-" + std::to_string(i);
    lines[i] = event.dump();
  }
  return lines;
}

class Erase : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    json config = json::parse(served_config());
    config["stream"]["event"]["fields"]["person"] = "category";
    scratch_->write("config.json", config.dump());
    std::vector<std::string> lines = persons_events();
    json bad = json::parse(lines[0]);
    bad["x"] = "the height of " + kPerson;
    lines.insert(lines.begin() + 100, bad.dump());
    scratch_->write("a.jsonl", joined(lines, 0, kBefore));
    scratch_->write("b.jsonl", joined(lines, kBefore, lines.size()));
    scratch_->write("again.jsonl", lines[0]);
    ASSERT_EQ(freshet_program("run " + path("config.json") + " -w " + path("before") + " -i " +
                              path("a.jsonl"))
                  .code,
              0);
    copy("reference");
    erased_ = freshet_program(kErase + path("reference") + " --json");
    ASSERT_EQ(erased_.code, 0) << erased_.err;
    at_once_ = fingerprint_of(path("reference"));
    go_on("reference");
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static void copy(const std::string& name) {
    fs::copy(path("before"), path(name), fs::copy_options::recursive);
  }
  static void go_on(const std::string& name) {
    const Outcome run = freshet_program("run -w " + path(name) + " -i " + path("b.jsonl"));
    ASSERT_EQ(run.code, 0) << run.err;
  }
  /// The files of a workspace that hold `text`.
  static std::vector<std::string> holding(const std::string& name, const std::string& text) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path(name))) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      if (bytes.find(text) != std::string::npos) found.push_back(entry.path().filename());
    }
    return found;
  }

  /// Gives how many checkpoints there are.
  static int damage_newest_checkpoint(const std::string& name) {
    SQLite::Database registry(path(name + "/registry.db"), SQLite::OPEN_READWRITE);
    registry.exec(
        "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
        "max(number) FROM checkpoints)");
    return registry.execAndGet("SELECT count(*) FROM checkpoints").getInt();
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline Outcome erased_;
  static inline json at_once_;
};

TEST_F(Erase, NoFileHoldsWhatWasErased) {
  EXPECT_THAT(holding("before", kPerson), ::testing::Contains("log.db"));
  copy("erased");
  ASSERT_EQ(freshet_program(kErase + path("erased")).code, 0);
  EXPECT_THAT(holding("erased", kPerson), ::testing::IsEmpty());
  EXPECT_THAT(holding("erased", "zq-"), ::testing::IsEmpty());
  EXPECT_THAT(holding("erased", "someone 3"), ::testing::Contains("log.db"));
  const Outcome check = freshet_program("workspace check -w " + path("erased"));
  EXPECT_EQ(check.code, 0) << check.out;
  const Outcome dead = freshet_program("events dead-letters --json -w " + path("erased"));
  EXPECT_EQ(dead.json().at("raw"), "");
  EXPECT_EQ(dead.json().at("reason"), "erased");
}

TEST_F(Erase, IsADecisionWithItsFigures) {
  const json decision = erased_.json();
  EXPECT_EQ(decision.at("kind"), "erased");
  EXPECT_EQ(decision.at("actor"), "operator");
  EXPECT_EQ(decision.at("reason"), "by request");
  EXPECT_EQ(decision.at("figures").at("events"), 34);
  EXPECT_EQ(decision.at("figures").at("first_row"), 0);
  EXPECT_EQ(decision.at("figures").at("rows"), 32) << "labels of the last two are not known";
  EXPECT_EQ(decision.at("figures").at("refused_records"), 1);
}

TEST_F(Erase, AnErasedEventDoesNotComeBack) {
  copy("again");
  ASSERT_EQ(freshet_program(kErase + path("again")).code, 0);
  const Outcome sent =
      freshet_program("run --json -w " + path("again") + " -i " + path("again.jsonl"));
  ASSERT_EQ(sent.code, 0) << sent.err;
  const json stats = freshet_program("events stats --json -w " + path("again")).json();
  EXPECT_EQ(stats.at("duplicates"), 1);
  EXPECT_EQ(freshet_program(kErase + path("again")).code, 3);
}

TEST_F(Erase, KillsChangeNothing) {
  KeyedGenerator generator(23);
  for (int i = 0; i < 2; ++i) {
    const std::string name = "killed" + std::to_string(i);
    copy(name);
    start_and_kill(kErase + path(name), 20 + static_cast<int>(generator.below(400)));
    const Outcome last = freshet_program(kErase + path(name));
    ASSERT_TRUE(last.code == 0 || last.code == 3) << last.err;
    EXPECT_EQ(fingerprint_of(path(name)).dump(2), at_once_.dump(2));
    EXPECT_THAT(holding(name, kPerson), ::testing::IsEmpty());
    go_on(name);
    EXPECT_EQ(fingerprint_of(path(name)).dump(2), fingerprint_of(path("reference")).dump(2));
  }
}

TEST_F(Erase, AStartFinishesWhatWasRecordedOrHalfDone) {
  copy("done");
  ASSERT_EQ(freshet_program(kErase + path("done")).code, 0);
  for (const bool log_rewritten : {false, true}) {
    const std::string name = log_rewritten ? "half" : "recorded";
    copy(name);
    {
      SQLite::Database registry(path(name) + "/registry.db", SQLite::OPEN_READWRITE);
      registry.exec("ATTACH '" + path("done") + "/registry.db' AS done");
      registry.exec("INSERT INTO commands SELECT * FROM done.commands");
    }
    if (log_rewritten) {
      fs::copy_file(path("done/pipelines/turning/log.db"), path(name + "/pipelines/turning/log.db"),
                    fs::copy_options::overwrite_existing);
    }
    go_on(name);
    EXPECT_EQ(fingerprint_of(path(name)).dump(2), fingerprint_of(path("reference")).dump(2));
    EXPECT_EQ(freshet_program("workspace check -w " + path(name)).code, 0);
  }
}

TEST_F(Erase, ARunningServiceErasesAndGoesOn) {
  copy("served");
  {
    ServedProgram served("-w " + path("served"));
    const Reply dry = served.post(kPipeline + "/erase", R"({"key":"zq-0","dry_run":true})");
    EXPECT_EQ(dry.json().at("figures").at("events"), 1) << dry.body;
    EXPECT_EQ(dry.json().at("decisions"), json::array());
    const Outcome outcome = freshet_program(kErase + path("served") + " --json");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("figures"), erased_.json().at("figures"));
    EXPECT_EQ(freshet_program(kErase + path("served")).code, 3);
    const Reply unknown = served.post(kPipeline + "/erase", R"({"key":"persn=x","reason":"r"})");
    EXPECT_EQ(unknown.status, 404) << unknown.body;
    EXPECT_THAT(unknown.body, HasSubstr("person"));
    const Reply event = served.post(kPipeline + "/events", persons_events().back());
    EXPECT_EQ(event.status, 200) << event.body;
    EXPECT_EQ(served.stop().code, 0);
  }
  EXPECT_THAT(holding("served", kPerson), ::testing::IsEmpty());
  EXPECT_EQ(freshet_program("workspace check -w " + path("served")).code, 0);
}

TEST_F(Erase, ADryRunSaysWhatWouldGoAndChangesNothing) {
  const json before = fingerprint_of(path("before"));
  copy("dry");
  const std::string dry = "events erase --key 'person=" + kPerson + "' --dry-run --json -w ";
  const Outcome said = freshet_program(dry + path("dry"));
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json().at("figures"), erased_.json().at("figures"));
  EXPECT_EQ(said.json().at("decisions"), json::array());
  EXPECT_EQ(fingerprint_of(path("dry")), before);
  EXPECT_THAT(holding("dry", kPerson), ::testing::Contains("log.db"));
  EXPECT_EQ(freshet_program("events erase --key nobody --dry-run -w " + path("dry")).code, 3);
  const Outcome reasonless = freshet_program("events erase --key zq-0 -w " + path("dry"));
  EXPECT_EQ(reasonless.code, 1);
  EXPECT_THAT(reasonless.err, HasSubstr("--reason"));
}

TEST_F(Erase, WhatAReaderKeepsIsToldAndGoesOnceItIsDone) {
  copy("read");
  ServedProgram served("-w " + path("read"));
  {
    SQLite::Database reader(path("read/pipelines/turning/log.db"), SQLite::OPEN_READONLY);
    SQLite::Transaction moment(reader);
    reader.execAndGet("SELECT count(*) FROM batches");
    const Outcome erased = freshet_program(kErase + path("read") + " --json");
    ASSERT_EQ(erased.code, 0) << erased.err;
    EXPECT_THAT(erased.err, HasSubstr("log.db-wal"));
    EXPECT_THAT(erased.json().at("warning").get<std::string>(), HasSubstr("log.db-wal"));
    EXPECT_THAT(holding("read", kPerson), ::testing::Contains("log.db"));
  }
  for (int i = 0; i < 100 && !holding("read", kPerson).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(holding("read", kPerson), ::testing::IsEmpty()) << "while it serves";
}

TEST_F(Erase, ADamagedNewestCheckpointIsMadeGoodByDoingItAgain) {
  copy("damaged");
  ASSERT_EQ(freshet_program(kErase + path("damaged")).code, 0);
  EXPECT_EQ(damage_newest_checkpoint("damaged"), 2) << "none from before the erasure's position";
  go_on("damaged");
  EXPECT_EQ(fingerprint_of(path("damaged")).dump(2), fingerprint_of(path("reference")).dump(2));
}

TEST_F(Erase, OneMorePersonIsErasedLikeTheFirst) {
  copy("two");
  ASSERT_EQ(freshet_program(kErase + path("two")).code, 0);
  const std::string second = "events erase --key 'person=someone 3' --reason r --json -w ";
  const Outcome more = freshet_program(second + path("two"));
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(more.json().at("figures").at("command"), 2);
  EXPECT_THAT(holding("two", "someone 3"), ::testing::IsEmpty());
  EXPECT_THAT(holding("two", kPerson), ::testing::IsEmpty());
  go_on("two");
  EXPECT_EQ(freshet_program("workspace check -w " + path("two")).code, 0);
  const Outcome made =
      freshet_program("registry reproduce --from-start 1@3000 --json -w " + path("two"));
  EXPECT_EQ(made.json().at("erased_rows").get<int>(), 20 + 426) << made.out;
}

TEST_F(Erase, ALogThatIsCopiedBringsNothingBack) {
  const Outcome run =
      freshet_program("run --from-log " + path("reference") + " -w " + path("from-log"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("warning: events were erased from this log (decision "));
  EXPECT_EQ(fingerprint_of(path("from-log")).at("log"),
            fingerprint_of(path("reference")).at("log"));
  ASSERT_EQ(freshet_program("run -w " + path("from-log") + " -i " + path("again.jsonl")).code, 0);
  const json stats = freshet_program("events stats --json -w " + path("from-log")).json();
  EXPECT_EQ(stats.at("duplicates"), 1);
}

TEST_F(Erase, ARevisionThatLearnedFromItIsServedOnlyAsItIsStored) {
  const std::string at = path("reference");
  const Outcome back = freshet_program("registry rollback 1@3001 --reason r -w " + at);
  EXPECT_EQ(back.code, 1) << back.out;
  EXPECT_THAT(back.err, HasSubstr("rows that were erased since (decision "));
  const Outcome exported =
      freshet_program("registry export 1@3001 --to " + path("exported") + " -w " + at);
  EXPECT_EQ(exported.code, 1) << exported.out;
  EXPECT_THAT(exported.err, HasSubstr("rows that were erased since (decision "));
  EXPECT_EQ(freshet_program("registry export 1 --to " + path("stored") + " -w " + at).code, 0);
}

TEST_F(Erase, WhatIsAppendedMeanwhileIsTakenOnce) {
  copy("beside");
  std::vector<std::string> lines = served_events(kEvents + 300);
  std::atomic<bool> done = false;
  std::size_t sent = 0;
  {
    ServedProgram served("-w " + path("beside"));
    std::jthread client([&] {
      for (; sent < 300 && !(done && sent > 20); ++sent) {
        json event = json::parse(lines[kEvents + sent]);
        event["person"] = "late comer";
        EXPECT_EQ(served.post(kPipeline + "/events", event.dump()).status, 200);
      }
    });
    const Outcome outcome = freshet_program(kErase + path("beside") + " --json");
    done = true;
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.json().at("warning"), json());
    client.join();
    EXPECT_EQ(served.stop().code, 0);
  }
  EXPECT_THAT(holding("beside", kPerson), ::testing::IsEmpty());
  const json stats = freshet_program("events stats --json -w " + path("beside")).json();
  EXPECT_EQ(stats.at("accepted").get<std::size_t>(), kBefore - 1 + sent);
  EXPECT_EQ(freshet_program("workspace check -w " + path("beside")).code, 0);
}

TEST_F(Erase, WhatIsNotThereIsNotRecorded) {
  const std::string erase = "events erase -w " + path("reference") + " --reason r --key ";
  const json before = fingerprint_of(path("reference"));
  const Outcome nobody = freshet_program(erase + "person=Nobody");
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.out, HasSubstr("nothing was recorded"));
  EXPECT_EQ(freshet_program(erase + "zq-1").code, 3);
  EXPECT_EQ(fingerprint_of(path("reference")), before);
  const Outcome misspelt = freshet_program(erase + "'persom=" + kPerson + "'");
  EXPECT_EQ(misspelt.code, 1);
  EXPECT_THAT(misspelt.err, HasSubstr("did you mean `person`"));
  EXPECT_THAT(misspelt.err, ::testing::Not(HasSubstr(kPerson)));
  const Outcome no_number = freshet_program(erase + "x=tall");
  EXPECT_EQ(no_number.code, 1);
  EXPECT_THAT(no_number.err, HasSubstr("field `x`: expected a number"));
}

TEST_F(Erase, AReproductionSaysThatItIsPartial) {
  const std::string reproduce = "registry reproduce --from-start 1@3000 -w ";
  const Outcome whole = freshet_program(reproduce + path("before") + " --json");
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(whole.json().at("partial"), false);
  const Outcome partial = freshet_program(reproduce + path("reference") + " --json");
  EXPECT_EQ(partial.code, 0) << partial.err;
  EXPECT_EQ(partial.json().at("partial"), true);
  EXPECT_EQ(partial.json().at("erased_rows"), 20);
  EXPECT_NE(partial.json().at("sha256"), whole.json().at("sha256"));
  const Outcome recorded =
      freshet_program("registry reproduce --from-start 1 -w " + path("reference") + " --json");
  EXPECT_EQ(recorded.code, 0) << recorded.err;
  EXPECT_EQ(recorded.json().at("same"), false) << recorded.out;
  EXPECT_EQ(recorded.json().at("partial"), true);
  const Outcome said = freshet_program(reproduce + path("reference"));
  EXPECT_THAT(said.out, HasSubstr("partial: 20 of the rows below 3000 were erased (decision "));
}

TEST_F(Erase, RowsThatAreLostCannotBeDerivedAgain) {
  copy("lost");
  ASSERT_EQ(freshet_program(kErase + path("lost")).code, 0);
  fs::remove(path("lost/pipelines/turning/rows.db"));
  const Outcome run = freshet_program("run -w " + path("lost") + " -i " + path("b.jsonl"));
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("restore a backup"));
}

TEST_F(Erase, AnOpenQuestionIsGivenUp) {
  json config = json::parse(served_config());
  config["stream"]["label"] = {{"field", "label"}, {"known", "later"}, {"wait", "10d"}};
  scratch_->write("later.json", config.dump());
  std::string events;
  for (int i = 0; i < 3; ++i) {
    events +=
        json{{"id", "open-" + std::to_string(i)}, {"at", "2024-01-01T00:00:00Z"}, {"x", 1}}.dump() +
        "\n";
  }
  const std::string label = R"({"id": "open-1", "label": 1, "time": "2024-01-01T01:00:00Z"})"
                            "\n";
  const std::string run = "run " + path("later.json") + " --json -w " + path("open") + " -i ";
  const Outcome first = freshet_program(run + scratch_->write("events.jsonl", events));
  ASSERT_EQ(first.code, 0) << first.err;
  const Outcome erased =
      freshet_program("events erase --key open-1 --reason r --json -w " + path("open"));
  ASSERT_EQ(erased.code, 0) << erased.err;
  EXPECT_EQ(erased.json().at("figures").at("events"), 1);
  const Outcome labeled = freshet_program(run + scratch_->write("label.jsonl", label));
  ASSERT_EQ(labeled.code, 0) << labeled.err;
  EXPECT_EQ(labeled.json().at("rows"), 0) << labeled.out;
}

}  // namespace
}  // namespace freshet
