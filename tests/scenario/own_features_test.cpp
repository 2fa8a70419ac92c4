// A learner with features of its own beside one with the pipeline's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "scenario/program.h"
#include "stream/row_store.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kEvents = 9000;

/// The pipeline's features lack y, which the label depends on.
json plain_config() {
  json config = json::parse(turning_config());
  config["features"] = {{{"name", "x"}}, {{"name", "kind"}}};
  config["retrain"]["when"]["any"][0]["rows"] = 2000;
  return config;
}

/// The network's own have it.
json own_config() {
  json config = plain_config();
  config["learners"][1]["features"] = {{{"name", "x"}}, {{"name", "y"}}, {{"name", "kind"}}};
  return config;
}

class OwnFeatures : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder();
    config_ = scratch_->write("own.json", own_config().dump());
    const auto lines = turning_csv(kEvents);
    csv_ = scratch_->write("events.csv", joined(lines, 0, lines.size()));
    scratch_->write("1.csv", joined(lines, 0, 4200));
    scratch_->write("2.csv", lines[0] + "\n" + joined(lines, 4200, lines.size()));
    const Outcome outcome = run("w", config_ + " -i " + csv_);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    summary_ = outcome.json();
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->path(name); }
  static Outcome run(const std::string& workspace, const std::string& arguments) {
    return freshet_program("run " + arguments + " --json -w " + path(workspace));
  }
  static json registry(const std::string& arguments, const std::string& workspace = "w") {
    const Outcome outcome =
        freshet_program("registry " + arguments + " --json -w " + path(workspace));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.json();
  }
  static void expect_same(const std::string& workspace, const std::string& as = "w") {
    EXPECT_EQ(fingerprint_of(path(workspace)).dump(2), fingerprint_of(path(as)).dump(2));
  }
  static std::vector<float> column(const std::string& workspace, const std::string& identity) {
    const auto store = RowStore::open_reader(path(workspace) + "/pipelines/turning/rows.db");
    const std::size_t column = store->column(identity);
    std::vector<float> vectors(store->questions() * store->columns()[column].width);
    store->read_vectors(column, 0, store->questions(), vectors.data());
    return vectors;
  }

  static inline ScratchFolder* scratch_ = nullptr;
  static inline std::string config_;
  static inline std::string csv_;
  static inline json summary_;
};

TEST_F(OwnFeatures, ALearnerSeesWhatItsOwnListNames) {
  std::map<std::string, double> accuracy;
  for (const json& learner : summary_["learners"]) {
    accuracy[learner["name"]] = learner["metrics"]["accuracy"];
  }
  // After the turn the label depends on x * y: without y nothing can be told.
  EXPECT_GT(accuracy["network"], accuracy["linear"] + 0.02) << summary_["learners"].dump(2);
  const json first = registry("show 1");
  const json second = registry("show 2");
  EXPECT_NE(first["lineage"]["feature_identity"], second["lineage"]["feature_identity"]);
  EXPECT_EQ(second["lineage"]["recipe"]["features"][1]["name"], "y");
  EXPECT_FALSE(first["lineage"]["recipe"].contains("features"));
}

TEST_F(OwnFeatures, TheChampionAnswersByItsOwnAndIsMadeAgainTheSame) {
  EXPECT_GE(summary_["promotions"].get<int>(), 1);
  const std::string champion = summary_["champion"]["revision"];
  const json shown = registry("show " + champion.substr(0, champion.find('@')));
  EXPECT_EQ(shown["recipe"], "network");
  EXPECT_GT(summary_["live"]["metrics"]["accuracy"], 0.53) << "half of them by chance";
  for (const std::string& revision : {champion, std::string("1@4000"), std::string("2@4000")}) {
    const json made = registry("reproduce --from-start " + revision);
    EXPECT_TRUE(made["same"].is_null() || made["same"] == true) << made;
  }
  EXPECT_EQ(registry("reproduce --from-start " + champion)["same"], true);
}

TEST_F(OwnFeatures, ExportedWeightsComeWithTheFeaturesThatTheyNeed) {
  const std::string folder = path("exported");
  const Outcome outcome = freshet_program("registry export 2 --to " + folder + " -w " + path("w"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json manifest = json::parse(std::ifstream(folder + "/manifest.json"));
  EXPECT_EQ(manifest["features"].size(), 3U);
}

TEST_F(OwnFeatures, PiecesKillsAndACopiedLogGiveTheSame) {
  ASSERT_EQ(run("pieces", config_ + " -i " + path("1.csv")).code, 0);
  ASSERT_EQ(run("pieces", config_ + " -i " + path("2.csv")).code, 0);
  expect_same("pieces");
  for (const int after : {150, 400, 250}) {
    start_and_kill("run " + config_ + " -w " + path("killed") + " -i " + csv_, after);
  }
  ASSERT_EQ(run("killed", config_ + " -i " + csv_).code, 0);
  expect_same("killed");
  ASSERT_EQ(run("copied", "--from-log " + path("w")).code, 0);
  expect_same("copied");
}

TEST_F(OwnFeatures, ABacktestScoresEachVersionByItsOwn) {
  const auto backtest = [](const std::string& versions) {
    const Outcome outcome = freshet_program("backtest --json -w " + path("w") + " " + versions);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.json();
  };
  const json learners = backtest("--candidate 2 --champion 1");
  EXPECT_GT(learners["metrics"]["candidate"]["accuracy"].get<double>(),
            learners["metrics"]["champion"]["accuracy"].get<double>());
  const json frozen = backtest("--candidate 3 --champion 1");
  EXPECT_GT(frozen["answers"]["candidate"]["scored"].get<int>(), 500) << frozen["answers"];
  EXPECT_GT(frozen["metrics"]["candidate"]["accuracy"], 0.53) << frozen["metrics"];
}

TEST_F(OwnFeatures, AListThatComesLaterIsComputedFromTheLog) {
  const std::string plain = scratch_->write("plain.json", plain_config().dump());
  ASSERT_EQ(run("late", plain + " -i " + path("1.csv")).code, 0);
  const Outcome applied =
      freshet_program("pipeline apply " + config_ + " -w " + path("late") + " --reason 'to see y'");
  ASSERT_EQ(applied.code, 0) << applied.err;
  ASSERT_EQ(run("late", "-i " + path("2.csv")).code, 0);

  const std::string identity = registry("show 2")["lineage"]["feature_identity"];
  EXPECT_EQ(column("late", identity), column("w", identity));
  json newest;
  for (int version = 3; newest.is_null(); ++version) {
    json shown = registry("show " + std::to_string(version), "late");
    ASSERT_TRUE(shown.contains("lineage"));
    if (shown["lineage"]["feature_identity"] == identity) newest = std::move(shown);
  }
  ASSERT_FALSE(newest["revisions"].empty());
  for (const json& revision : newest["revisions"]) {
    EXPECT_EQ(registry("reproduce --from-start " + revision["revision"].get<std::string>(),
                       "late")["same"],
              true);
  }

  ASSERT_EQ(run("again", "--from-log " + path("late")).code, 0);
  expect_same("again", "late");
}

}  // namespace
}  // namespace freshet
