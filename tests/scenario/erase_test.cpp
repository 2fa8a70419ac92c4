// A person's data go from a workspace for good, whatever dies meanwhile, and the rest goes on.
#include "scenario/erase_folder.h"
#include "stream/random.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

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
