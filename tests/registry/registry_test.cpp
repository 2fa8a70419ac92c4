#include "registry/registry.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include "registry/decision_kinds.h"
#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RegistryTest : public FolderTest {
 protected:
  RegistryTest() { registry_->set_config("p", "{}"); }

  static Version version(std::uint64_t number) {
    Version v;
    v.number = number;
    v.lineage = {"learner", R"({"network":"linear"})", "steady",  "f1",  0, 64, 70, 0, 0,
                 0,         ~std::uint64_t{0},         "build 1", "avx2"};
    v.status = "learning";
    v.created_row = 64;
    v.created_time = -5;
    return v;
  }

  static Decision decision(std::uint64_t sequence, const std::string& kind, Millis time,
                           std::uint64_t to) {
    Decision d;
    d.sequence = sequence;
    d.kind = kind;
    d.actor = "policy";
    d.reason = "because";
    d.figures = "{}";
    d.row = 64 * sequence;
    d.position = 70 * sequence;
    d.time = time;
    d.to_version = to;
    d.wall_time = "2026-01-01T00:00:00Z";
    return d;
  }

  static EvaluationRecord evaluation(const std::string& status) {
    EvaluationRecord e;
    e.number = 1;
    e.candidate = 2;
    e.champion = 1;
    e.status = status;
    e.figures = "{}";
    e.start_question = 100;
    e.start_row = 90;
    return e;
  }

  static CheckpointRecord at(std::uint64_t position, const std::string& state) {
    CheckpointRecord record;
    record.position = position;
    record.row = position / 2;
    record.questions = position;
    record.state = state;
    record.fingerprint = R"({"live":"x"})";
    return record;
  }

  void commit(const Decision& decision) {
    CheckpointRecord record = at(decision.position, "state");
    record.decisions = {decision};
    registry_->commit("p", record);
  }

  void execute(const std::string& statement) const {
    SQLite::Database database(path("registry.db"), SQLite::OPEN_READWRITE);
    database.exec(statement);
  }

  void reopen() {
    registry_.reset();
    registry_ = Registry::open(path("registry.db"));
  }

  std::unique_ptr<Registry> registry_ = Registry::open(path("registry.db"));
};

TEST_F(RegistryTest, EverythingOfOneCommitIsReadBackAfterReopening) {
  CheckpointRecord record = at(10, std::string("a\0b", 3));
  record.versions = {version(1), version(2)};
  record.revisions = {{1, 64, "aa", "bb"}, {1, 128, "cc", ""}};
  record.evaluations = {evaluation("running")};
  record.decisions = {decision(1, "first_champion", 1000, 1)};
  record.aliases = {{"champion", 1, 128}};
  registry_->commit("p", record);
  reopen();

  const Version read = registry_->version("p", 1);
  EXPECT_EQ(read.lineage.recipe, R"({"network":"linear"})");
  EXPECT_EQ(read.lineage.seed, ~std::uint64_t{0});
  EXPECT_EQ(read.lineage.rows_end, 64U);
  EXPECT_EQ(read.created_time, -5);
  EXPECT_THAT(registry_->versions("p"), SizeIs(2));
  const auto revisions = registry_->revisions("p", 1);
  ASSERT_THAT(revisions, SizeIs(2));
  EXPECT_EQ(revisions[0].learner_state, "bb");
  EXPECT_EQ(revisions[1].artifact, "cc");
  EXPECT_EQ(registry_->evaluations("p").at(0).start_question, 100U);
  EXPECT_EQ(registry_->decisions("p").at(0).wall_time, "2026-01-01T00:00:00Z");
  EXPECT_EQ(registry_->aliases("p").at(0).row, 128U);
  const auto checkpoint = registry_->checkpoint("p");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->state, std::string("a\0b", 3));
  EXPECT_EQ(checkpoint->row, 5U);
  EXPECT_EQ(checkpoint->fingerprint, R"({"live":"x"})");
  EXPECT_THAT(checkpoint->damage, IsEmpty());
}

TEST_F(RegistryTest, AnAliasThatIsNotNamedIsGone) {
  CheckpointRecord record = at(1, "s");
  record.versions = {version(1), version(2)};
  record.aliases = {{"champion", 2, 1}, {"previous", 1, 1}};
  registry_->commit("p", record);
  record.aliases = {{"champion", 1, 1}};
  registry_->commit("p", record);
  ASSERT_THAT(registry_->aliases("p"), SizeIs(1));
  EXPECT_EQ(registry_->aliases("p")[0].version, 1U);
}

TEST_F(RegistryTest, ACommitThatFailsLeavesNothing) {
  CheckpointRecord record = at(1, "s");
  record.versions = {version(1)};
  record.decisions = {decision(1, "trigger", 1, 0)};
  record.aliases = {{"champion", 7, 1}};
  EXPECT_THROW(registry_->commit("p", record), Error) << "there is no version 7";
  EXPECT_THAT(registry_->versions("p"), IsEmpty());
  EXPECT_THAT(registry_->decisions("p"), IsEmpty());
  EXPECT_FALSE(registry_->checkpoint("p"));
}

TEST_F(RegistryTest, ALaterRevisionRecordKeepsWhatItDoesNotName) {
  CheckpointRecord record = at(1, "s");
  record.versions = {version(1)};
  record.revisions = {{1, 64, "aa", "bb"}};
  registry_->commit("p", record);
  record.revisions = {{1, 64, "", ""}};
  registry_->commit("p", record);
  EXPECT_EQ(registry_->revisions("p", 1).at(0).artifact, "aa");
  EXPECT_EQ(registry_->revisions("p", 1).at(0).learner_state, "bb");
}

TEST_F(RegistryTest, TheNewestThreeCheckpointsAreKept) {
  for (std::uint64_t n = 1; n <= 10; ++n) registry_->commit("p", at(n, "state"));
  registry_->set_config("q", "{}");
  registry_->commit("q", at(1, "other"));
  SQLite::Database database(path("registry.db"));
  EXPECT_EQ(database
                .execAndGet("SELECT group_concat(position) FROM checkpoints WHERE "
                            "pipeline='p'")
                .getString(),
            "8,9,10");
  EXPECT_EQ(registry_->checkpoint("p")->position, 10U);
  EXPECT_EQ(registry_->checkpoint("q")->state, "other");
}

TEST_F(RegistryTest, ADamagedCheckpointIsPassedOverAndSaidSo) {
  registry_->commit("p", at(1, "old"));
  registry_->commit("p", at(2, "new"));
  for (const std::string change : {"state=x'6e6578'", "questions=questions+1", "row=0"}) {
    execute("UPDATE checkpoints SET " + change + " WHERE number=2");
    const auto checkpoint = registry_->checkpoint("p");
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->state, "old") << change;
    EXPECT_THAT(checkpoint->damage,
                ElementsAre(HasSubstr("checkpoint 2 of pipeline \"p\" is damaged")));
  }
}

TEST_F(RegistryTest, WithoutAWholeCheckpointItRefuses) {
  registry_->commit("p", at(1, "old"));
  execute("UPDATE checkpoints SET state=x'00'");
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { registry_->checkpoint("p"); }),
              HasSubstr("no checkpoint of pipeline \"p\" matches its hash"));
}

TEST_F(RegistryTest, AReplayFindsItsRecordsThere) {
  CheckpointRecord record = at(5, "s");
  record.versions = {version(1)};
  record.evaluations = {evaluation("running")};
  record.decisions = {decision(1, "first_champion", 1000, 1)};
  registry_->commit("p", record);
  record.versions[0].status = "retired";
  record.versions[0].lineage.build = "build 2";
  record.evaluations = {evaluation("promote")};
  record.decisions[0].wall_time = "2027-01-01T00:00:00Z";
  registry_->commit("p", record);
  ASSERT_THAT(registry_->decisions("p"), SizeIs(1));
  EXPECT_EQ(registry_->decisions("p")[0].wall_time, "2026-01-01T00:00:00Z");
  EXPECT_EQ(registry_->version("p", 1).status, "retired");
  EXPECT_EQ(registry_->version("p", 1).lineage.build, "build 1");
  ASSERT_THAT(registry_->evaluations("p"), SizeIs(1));
  EXPECT_EQ(registry_->evaluations("p")[0].status, "promote");
}

TEST_F(RegistryTest, AReplayThatDiffersIsRefusedNamingBoth) {
  CheckpointRecord record = at(5, "s");
  record.versions = {version(1)};
  record.evaluations = {evaluation("running")};
  record.decisions = {decision(1, "first_champion", 1000, 1)};
  registry_->commit("p", record);

  CheckpointRecord other = record;
  other.decisions[0].to_version = 2;
  other.decisions[0].reason = "otherwise";
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { registry_->commit("p", other); }),
              HasSubstr("replay differs: decision 1 of pipeline \"p\" comes out otherwise than it "
                        "is recorded: reason: recorded \"because\", now \"otherwise\"; "
                        "to_version: recorded \"1\", now \"2\""));
  other = record;
  other.versions[0].lineage.seed = 3;
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { registry_->commit("p", other); }),
              HasSubstr("replay differs: version 1"));
  other = record;
  other.evaluations[0].start_row = 91;
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { registry_->commit("p", other); }),
              HasSubstr("start_row: recorded \"90\", now \"91\""));
  EXPECT_EQ(registry_->decisions("p").at(0).reason, "because");
}

TEST_F(RegistryTest, DecisionsAreAppendOnly) {
  commit(decision(1, "first_champion", 1000, 1));
  for (const std::string statement : {"UPDATE decisions SET reason='x'", "DELETE FROM decisions",
                                      "REPLACE INTO decisions SELECT * FROM decisions"}) {
    try {
      execute(statement);
      ADD_FAILURE() << statement;
    } catch (const SQLite::Exception& error) {
      EXPECT_THAT(error.what(), HasSubstr("decisions are append-only"));
    }
  }
  EXPECT_EQ(registry_->decisions("p").at(0).reason, "because");
}

TEST_F(RegistryTest, WhatWasLiveIsTheLastChangeOfTheChampionByEventTime) {
  commit(decision(1, "first_champion", 1000, 1));
  commit(decision(2, "promoted", 2000, 2));
  commit(decision(3, "held_back", 2500, 2));
  commit(decision(4, "rejected", 2600, 3));
  commit(decision(5, "promoted", 3000, 3));
  commit(decision(6, "rolled_back", 3000, 2));
  commit(decision(7, "quarantined", 4000, 1));
  const auto live = [&](Millis time) -> std::uint64_t {
    const auto decision = registry_->live_at("p", time);
    return decision ? decision->sequence : 0;
  };
  EXPECT_EQ(live(999), 0U);
  EXPECT_EQ(live(1000), 1U);
  EXPECT_EQ(live(1999), 1U);
  EXPECT_EQ(live(2999), 2U) << "held_back and rejected change nothing";
  EXPECT_EQ(live(3000), 6U) << "of two at the same time the later one";
  EXPECT_EQ(live(99999), 7U);
  EXPECT_FALSE(changes_champion("approval_requested"));
}

TEST_F(RegistryTest, CommandsAreNumberedAndComeInTheOrderOfTheirEffect) {
  CommandRecord command;
  command.position = 50;
  command.kind = "pause";
  command.sequence = 99;
  EXPECT_EQ(registry_->add_command("p", command), 1U);
  command.position = 20;
  EXPECT_EQ(registry_->add_command("p", command), 2U);
  command.kind = "resume";
  EXPECT_EQ(registry_->add_command("p", command), 3U);
  reopen();
  const auto commands = registry_->commands("p");
  ASSERT_THAT(commands, SizeIs(3));
  EXPECT_EQ(commands[0].sequence, 2U);
  EXPECT_EQ(commands[1].kind, "resume");
  EXPECT_EQ(commands[2].sequence, 1U);
}

TEST_F(RegistryTest, WhatIsUnknownIsNotFound) {
  EXPECT_FALSE(registry_->config("q"));
  EXPECT_FALSE(registry_->checkpoint("p"));
  EXPECT_THAT(error_of(ErrorKind::not_found, [&] { registry_->version("p", 3); }),
              HasSubstr("has no version 3"));
  error_of(ErrorKind::not_found, [&] { registry_->checkpoint("q"); });
  error_of(ErrorKind::not_found, [&] { registry_->add_command("q", {}); });
  EXPECT_THAT(error_of(ErrorKind::not_found, [&] { registry_->commit("q", at(1, "s")); }),
              HasSubstr("there is no pipeline \"q\""));
}

TEST_F(RegistryTest, AReaderSeesWhatTheWriterCommitted) {
  const auto reader = Registry::open_reader(path("registry.db"));
  registry_->set_config("a", R"({"x":1})");
  registry_->commit("a", at(3, "s"));
  EXPECT_THAT(reader->pipelines(), ElementsAre("a", "p"));
  EXPECT_EQ(reader->config("a"), R"({"x":1})");
  EXPECT_EQ(reader->checkpoint("a")->position, 3U);
  error_of(ErrorKind::unavailable, [&] { reader->set_config("a", "{}"); });
}

TEST_F(RegistryTest, AnotherFormatIsRefusedNamingBoth) {
  registry_.reset();
  execute("PRAGMA user_version=7");
  const auto message = HasSubstr("has format 7, this build reads and writes format 2");
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { Registry::open(path("registry.db")); }), message);
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { Registry::open_reader(path("registry.db")); }),
              message);
}

TEST_F(RegistryTest, AnOlderFormatIsBroughtUpByItsWriter) {
  registry_.reset();
  for (const char* column : {"parent_row", "epochs", "promoted_row", "stopped_row"}) {
    execute(std::string("ALTER TABLE versions DROP COLUMN ") + column);
  }
  execute("PRAGMA user_version=1");
  registry_ = Registry::open(path("registry.db"));
  CheckpointRecord record = at(1, "s");
  record.versions = {version(1)};
  record.versions[0].stopped_row = 128;
  registry_->commit("p", record);
  EXPECT_EQ(registry_->version("p", 1).stopped_row, 128U);
}

TEST_F(RegistryTest, AnotherProgramsDatabaseIsLeftAlone) {
  SQLite::Database(path("other.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE notes (text)");
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { Registry::open(path("other.db")); }),
              HasSubstr("another program"));
}

TEST_F(RegistryTest, ADamagedFileIsRefusedByTheWriter) {
  for (std::uint64_t n = 1; n <= 40; ++n) commit(decision(n, "promoted", 10, n));
  registry_.reset();
  std::string bytes = read(path("registry.db"));
  for (std::size_t at = 4096; at < bytes.size(); at += 4096) bytes[at] = '\x7f';
  write(path("registry.db"), bytes);
  EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { Registry::open(path("registry.db")); }),
              HasSubstr("damaged"));
}

TEST_F(RegistryTest, AFileThatIsNoDatabaseIsRefused) {
  write(path("text.db"), std::string(5000, 't'));
  error_of(ErrorKind::corrupt, [&] { Registry::open(path("text.db")); });
  error_of(ErrorKind::not_found, [&] { Registry::open_reader(path("missing.db")); });
}

}  // namespace
}  // namespace freshet
