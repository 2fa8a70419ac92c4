#include "orchestrator/workspace.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>

#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::HasSubstr;

class WorkspaceTest : public FolderTest {
 protected:
  Workspace own() const { return Workspace::open(path("w"), Workspace::Mode::own); }
  Workspace only_read() const { return Workspace::open(path("w"), Workspace::Mode::read); }
};

TEST_F(WorkspaceTest, TheFirstOwnerMakesTheFolders) {
  Workspace workspace = own();
  EXPECT_TRUE(std::filesystem::exists(path("w/registry.db")));
  EXPECT_TRUE(std::filesystem::is_directory(path("w/artifacts")));
  EXPECT_EQ(workspace.log_path("card-fraud"), path("w/pipelines/card-fraud/log.db"));
  EXPECT_EQ(workspace.rows_path("card-fraud"), path("w/pipelines/card-fraud/rows.db"));
  EXPECT_TRUE(std::filesystem::is_directory(path("w/pipelines/card-fraud")));
}

TEST_F(WorkspaceTest, ASecondOwnerIsToldThePidOfTheFirst) {
  const Workspace first = own();
  EXPECT_THAT(error_of(ErrorKind::conflict, [&] { own(); }),
              HasSubstr("(pid " + std::to_string(::getpid()) + ")"));
}

TEST_F(WorkspaceTest, TheNextOwnerComesInOnceTheFirstHasLeft) {
  {
    Workspace first = own();
    first.registry().set_config("p", "{}");
    const Workspace moved = std::move(first);
    EXPECT_THROW(own(), Error);
  }
  EXPECT_EQ(own().registry().config("p"), "{}");
}

TEST_F(WorkspaceTest, AnOwnerThatIsKilledLeavesNoLockBehind) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::optional<Workspace> workspace(own());
    if (::write(ready[1], "r", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(error_of(ErrorKind::conflict, [&] { own(); }),
              HasSubstr("(pid " + std::to_string(child) + ")"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_NO_THROW(own());
}

TEST_F(WorkspaceTest, AReaderNeedsNoLockAndMakesNothing) {
  Workspace owner = own();
  owner.registry().set_config("p", "{}");
  const std::string address = owner.artifacts().put("weights");
  Workspace reader = only_read();
  EXPECT_EQ(reader.registry().config("p"), "{}");
  EXPECT_EQ(reader.artifacts().get(address), "weights");
  reader.log_path("q");
  EXPECT_FALSE(std::filesystem::exists(path("w/pipelines/q")));
}

TEST_F(WorkspaceTest, WithoutAWorkspaceAReaderIsToldHowToMakeOne) {
  EXPECT_THAT(error_of(ErrorKind::not_found, [&] { only_read(); }), HasSubstr("freshet run"));
  EXPECT_FALSE(std::filesystem::exists(path("w")));
}

TEST_F(WorkspaceTest, AFolderThatCannotBeWrittenToIsRefused) {
  write(path("file"), "");
  error_of(ErrorKind::unavailable, [&] { Workspace::open(path("file/w"), Workspace::Mode::own); });
  std::filesystem::create_directory(path("w"));
  std::filesystem::permissions(path("w"), std::filesystem::perms(0555));
  const AsNobody nobody;
  EXPECT_THAT(error_of(ErrorKind::unavailable, [&] { own(); }), HasSubstr("w/lock: cannot be"));
}

TEST_F(WorkspaceTest, ADamagedRegistryLeavesTheLockToOthers) {
  std::filesystem::create_directory(path("w"));
  write(path("w/registry.db"), std::string(5000, 't'));
  error_of(ErrorKind::corrupt, [&] { own(); });
  std::filesystem::remove(path("w/registry.db"));
  EXPECT_NO_THROW(own());
}

TEST_F(WorkspaceTest, TheNextOwnerRemovesArtifactsThatNoRevisionNames) {
  std::string named;
  std::string orphan;
  {
    Workspace workspace = own();
    named = workspace.artifacts().put("weights");
    orphan = workspace.artifacts().put("of a run that died before its checkpoint");
    workspace.registry().set_config("p", "{}");
    CheckpointRecord record;
    Version version;
    version.number = 1;
    record.versions.push_back(version);
    record.revisions.push_back({1, 64, named, ""});
    workspace.registry().commit("p", record);
  }
  const std::string torn = path("w/artifacts/" + named + ".7.1.part");
  write(torn, "wei");
  only_read();
  EXPECT_TRUE(std::filesystem::exists(torn));
  EXPECT_EQ(own().artifacts().list(), std::vector<std::string>{named});
  EXPECT_FALSE(std::filesystem::exists(torn));
}

TEST_F(WorkspaceTest, PipelineNamesAreChecked) {
  const Workspace workspace = own();
  for (const std::string& good : {std::string("a"), std::string("0.b_c-d"), std::string(64, 'x')}) {
    EXPECT_EQ(workspace.log_path(good), path("w/pipelines/" + good + "/log.db"));
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("../x"), std::string("a/b"),
        std::string("A"), std::string("-a"), std::string("_a"), std::string("a b"),
        std::string("a\0b", 3), std::string(65, 'x')}) {
    EXPECT_THAT(error_of(ErrorKind::invalid, [&] { workspace.log_path(bad); }),
                HasSubstr("no pipeline's name"));
  }
}

}  // namespace
}  // namespace freshet
