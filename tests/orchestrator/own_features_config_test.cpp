// Features of a learner's own, as a config has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "orchestrator/config.h"
#include "orchestrator/feature_sets.h"
#include "stream/error.h"

namespace freshet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json config_with(const std::string& learners) {
  json config = json::parse(R"({
    "pipeline": "p", "task": "binary",
    "stream": {
      "event": {"time": "ts", "fields": {"amount": "number", "terminal": "category"}},
      "label": {"field": "y"}
    },
    "features": [{"name": "amount"}]
  })");
  config["learners"] = json::parse(learners);
  return config;
}

PipelineConfig parse(const json& config) { return parse_config(config.dump(), "c.json"); }

std::string problems(const std::string& learners) {
  try {
    parse(config_with(learners));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    return error.what();
  }
}

TEST(OwnFeaturesConfig, GetTheirDefaultsAndAreReadBack) {
  const PipelineConfig read = parse(config_with(R"([{"name": "a"}, {"name": "b", "features":
    [{"name": "amount"}, {"name": "t", "from": "terminal"}]}])"));
  EXPECT_TRUE(read.learners[0].features.empty());
  ASSERT_EQ(read.learners[1].features.size(), 2U);
  EXPECT_TRUE(read.learners[1].features[0].scale);
  EXPECT_EQ(read.learners[1].features[1].buckets, 256U);
  EXPECT_EQ(parse(json::parse(write_config(read))), read);
}

TEST(OwnFeaturesConfig, AreCheckedAsThePipelinesAre) {
  for (const auto& [features, place, what] :
       {std::array{R"([{"name": "amonut"}])", "learners[1].features[0]", "amonut"},
        std::array{R"([{"name": "amount"}, {"name": "amount"}])", "learners[1].features[1].name",
                   "twice"},
        std::array{R"([{"name": "amount"}, {"name": "terminal", "encode": "one_hot"}])",
                   "learners[1].features[1].values", ""},
        std::array{R"([{"name": "amount", "encode": "one_hot"}])", "learners[1].features[0].encode",
                   ""},
        std::array{R"([])", "learners[1].features", ""}}) {
    const std::string found =
        problems(std::string(R"([{"name": "a"}, {"name": "b", "features": )") + features + "}]");
    EXPECT_THAT(found, HasSubstr(place)) << features;
    EXPECT_THAT(found, HasSubstr(what)) << features;
  }
}

TEST(OwnFeaturesConfig, AreOneSetWhereTheyComeToTheSame) {
  const PipelineConfig config = parse(config_with(R"([
    {"name": "a"},
    {"name": "b", "features": [{"name": "t", "from": "terminal"}]},
    {"name": "c", "features": [{"name": "other", "from": "terminal"}]},
    {"name": "d", "features": [{"name": "sum", "from": "amount"}]}])"));
  const FeatureSets sets(config);
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_EQ(sets.index_of(config.schema, config.learners[0]), 0U);
  EXPECT_EQ(sets.index_of(config.schema, config.learners[1]), 1U);
  EXPECT_EQ(sets.index_of(config.schema, config.learners[2]), 1U) << "names are no difference";
  EXPECT_EQ(sets.index_of(config.schema, config.learners[3]), 0U) << "the pipeline's, renamed";
}

TEST(OwnFeaturesConfig, AChangeOfThemIsANewLearner) {
  const auto found =
      differences(parse(config_with(R"([{"name": "a"}])")),
                  parse(config_with(R"([{"name": "a", "features": [{"name": "terminal"}]}])")));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "learners.a.features");
  EXPECT_EQ(found[0].means, kMeansNewLearner);
}

}  // namespace
}  // namespace freshet
