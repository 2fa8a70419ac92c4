// Any revision is made again from its lineage, and can be gone back to.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "scenario/program.h"
#include "stream/sha256.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 12000;

/// Two learners, a warm and a fresh candidate every 3,000 rows, anchors every 2,000.
std::string config_text() {
  json config = json::parse(turning_config());
  config["retrain"]["when"]["any"][0]["rows"] = 3000;
  config["retrain"]["do"] = {{{"fresh", "network"}, {"window_rows", 3000}, {"epochs", 2}},
                             {{"warm", "network"}, {"epochs", 1}}};
  config["promote"]["refresh"]["keep_every_rows"] = 2000;
  return config.dump();
}

class Reproduce : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("config.json", config_text());
    csv_ = scratch_->write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
    const Outcome outcome = run_into("w");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    rows_ = outcome.json()["rows"];
  }
  static void TearDownTestSuite() { delete scratch_; }

  static Outcome run_into(const std::string& workspace) {
    return freshet_program("run " + config_ + " -w " + scratch_->path(workspace) + " -i " + csv_ +
                           " --json");
  }
  static Outcome registry(const std::string& arguments, const std::string& workspace = "w") {
    return freshet_program("registry " + arguments + " -w " + scratch_->path(workspace));
  }
  /// All recorded weights: {revision, sha256}.
  static std::vector<std::pair<std::string, std::string>> recorded(const std::string& workspace) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const json& version : registry("list --json", workspace).json()) {
      const std::string number = std::to_string(version["version"].get<int>());
      const json shown = registry("show --json " + number, workspace).json();
      for (const json& r : shown["revisions"]) {
        if (r["sha256"] != "") all.emplace_back(r["revision"], r["sha256"]);
      }
    }
    return all;
  }
  static std::string live(const std::string& workspace) {
    for (const json& version : registry("list --json", workspace).json()) {
      for (const json& alias : version["aliases"]) {
        if (alias == "champion") return version["revision"];
      }
    }
    return "";
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
  static inline std::uint64_t rows_ = 0;
};

TEST_F(Reproduce, EveryRecordedRevisionComesOutTheSameFromItsLineageAlone) {
  const auto all = recorded("w");
  ASSERT_GE(all.size(), 4U);
  // The last revision of each version: learners, and a candidate that was promoted and learned on.
  std::map<std::string, std::pair<std::string, std::string>> last;
  for (const auto& one : all) last[one.first.substr(0, one.first.find('@'))] = one;
  for (const auto& [version, one] : last) {
    const auto& [revision, sha256] = one;
    const Outcome made = registry("reproduce --json --from-start " + revision);
    EXPECT_EQ(made.code, 0) << revision << made.out << made.err;
    EXPECT_EQ(made.json()["sha256"], sha256) << revision << ' ' << made.out;
  }
}

TEST_F(Reproduce, AnAnchorGivesTheSameAsTheStart) {
  bool anchored = false;
  const auto all = recorded("w");
  for (std::size_t i = all.size() - 3; i < all.size(); ++i) {
    const auto& [revision, sha256] = all[i];
    const Outcome made = registry("reproduce --json " + revision);
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(made.json()["sha256"], sha256);
    anchored = anchored || made.json()["from"].get<std::string>().starts_with("the anchor");
  }
  EXPECT_TRUE(anchored);
}

TEST_F(Reproduce, OtherWeightsThanRecordedGiveExitCodeThree) {
  ASSERT_EQ(run_into("other").code, 0);
  const auto [revision, sha256] = recorded("other").back();
  const std::size_t at = revision.find('@');
  {
    SQLite::Database database(scratch_->path("other/registry.db"), SQLite::OPEN_READWRITE);
    database.exec(
        "UPDATE revisions SET artifact = replace(artifact, substr(artifact, 1, 8), "
        "'00000000') WHERE version = " +
        revision.substr(0, at) + " AND row = " + revision.substr(at + 1));
  }
  const Outcome made = registry("reproduce " + revision, "other");
  EXPECT_EQ(made.code, 3) << made.out << made.err;
  EXPECT_THAT(made.out, HasSubstr("they differ"));
  EXPECT_THAT(made.out, HasSubstr(sha256));
}

TEST_F(Reproduce, WhatIsNoRevisionIsRefused) {
  EXPECT_THAT(registry("reproduce 1@x").err, HasSubstr("names no revision"));
  EXPECT_THAT(registry("reproduce 99").err, HasSubstr("no version 99"));
  EXPECT_THAT(registry("reproduce 1@99999999").err, HasSubstr("rows 0 to"));
}

TEST_F(Reproduce, RollbackGoesToARevisionThatWasNeverStoredAndReplaysTheSame) {
  ASSERT_EQ(run_into("back").code, 0);
  const std::string target = "1@4321";
  EXPECT_EQ(registry("rollback 1@999999 --reason r", "back").code, 1);
  ASSERT_EQ(registry("rollback " + target + " --reason 'it was good then'", "back").code, 0);
  EXPECT_EQ(live("back"), target);
  const Outcome made = registry("reproduce --json --from-start " + target, "back");
  EXPECT_EQ(made.json()["same"], true) << made.out;
  const json before = fingerprint_of(scratch_->path("back"));
  {
    SQLite::Database database(scratch_->path("back/registry.db"), SQLite::OPEN_READWRITE);
    database.exec(
        "UPDATE checkpoints SET state = zeroblob(length(state)) WHERE number = (SELECT "
        "max(number) FROM checkpoints)");
  }
  const Outcome again = run_into("back");
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(fingerprint_of(scratch_->path("back")).dump(2), before.dump(2));
  EXPECT_EQ(live("back"), target);
}

TEST_F(Reproduce, ARollbackWithoutARowKeepsItsRevisionWhenItIsReplayedLater) {
  ASSERT_EQ(run_into("last").code, 0);
  ASSERT_EQ(registry("rollback --reason 'complaints'", "last").code, 0);
  SQLite::Database database(scratch_->path("last/registry.db"), SQLite::OPEN_READONLY);
  const json arguments =
      json::parse(database.execAndGet("SELECT arguments FROM commands").getString());
  EXPECT_EQ(std::to_string(arguments["version"].get<int>()) + "@" +
                std::to_string(arguments["row"].get<int>()),
            live("last"));
}

TEST_F(Reproduce, DiffShowsWhatDiffersAndNothingElse) {
  const Outcome same = registry("diff --json 1 1");
  EXPECT_EQ(same.json(), json::array());
  std::set<std::string> paths;
  const Outcome outcome = registry("diff --json 1 2");
  for (const json& d : outcome.json()) {
    EXPECT_NE(d["from"], d["to"]);
    paths.insert(d["path"]);
  }
  EXPECT_TRUE(paths.contains("lineage.recipe.network.kind")) << outcome.out;
  EXPECT_TRUE(paths.contains("lineage.seed"));
  EXPECT_FALSE(paths.contains("lineage.feature_identity"));
  EXPECT_EQ(registry("diff 1 77").code, 1);
}

TEST_F(Reproduce, AnExportHoldsTheRecordedWeightsAndOverwritesNothing) {
  const auto [revision, sha256] = recorded("w").front();
  const std::string folder = scratch_->path("out/model");
  const Outcome outcome = registry("export " + revision + " --to " + folder);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::ifstream weights(folder + "/weights.safetensors", std::ios::binary);
  std::ostringstream bytes;
  bytes << weights.rdbuf();
  EXPECT_EQ(sha256_hex(bytes.str()), sha256);
  const json manifest = json::parse(std::ifstream(folder + "/manifest.json"));
  EXPECT_EQ(manifest["revision"], revision);
  EXPECT_EQ(manifest["sha256"], sha256);
  EXPECT_EQ(manifest["model"]["network"], "linear");
  EXPECT_EQ(manifest["features"].size(), 3U);
  const Outcome again = registry("export " + revision + " --to " + folder);
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("is there already"));
}

TEST_F(Reproduce, CollectionTakesWhatNoRevisionNamesAndNothingElse) {
  const std::string stray(64, 'a');
  scratch_->write("w/artifacts/" + stray, "nobody's");
  scratch_->write("w/artifacts/" + std::string(64, 'b') + ".1.2.part", "half");
  const json dry = registry("gc --dry-run --json").json();
  EXPECT_EQ(dry["files"].size(), 2U) << dry;
  EXPECT_TRUE(std::filesystem::exists(scratch_->path("w/artifacts/" + stray)));
  const json done = registry("gc --json").json();
  EXPECT_EQ(done["files"], dry["files"]);
  EXPECT_FALSE(std::filesystem::exists(scratch_->path("w/artifacts/" + stray)));
  EXPECT_EQ(registry("verify").code, 0);
}

}  // namespace
}  // namespace freshet
