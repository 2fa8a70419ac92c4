#include "orchestrator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "stream/error.h"
#include "tests/orchestrator/config_text.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string source_folder() { return FRESHET_SOURCE; }

TEST(Config, TenLinesAreEnoughAndHaveDefaultsThatWork) {
  const PipelineConfig config = parse(minimal());
  EXPECT_EQ(config.pipeline, "p");
  EXPECT_EQ(std::get<TimeField>(config.schema.time.form), (TimeField{"ts", TimeUnit::rfc3339}));
  EXPECT_EQ(config.schema.dedup_within, kDay);
  EXPECT_EQ(config.features, FeatureSet::defaults(config.schema));
  ASSERT_EQ(config.learners.size(), 2U);
  EXPECT_EQ(config.learners[0].name, "steady");
  EXPECT_EQ(config.learners[0].steps, 4U);
  EXPECT_EQ(config.learners[0].replay, ReplayKind::recent);
  EXPECT_EQ(config.learners[1].network.kind, NetworkKind::linear);
  EXPECT_EQ(config.learners[1].optimizer, OptimizerKind::sgd);
  EXPECT_DOUBLE_EQ(config.learners[1].learning_rate, 0.05);
  ASSERT_EQ(config.retrain.when.size(), 1U);
  EXPECT_EQ(config.retrain.when[0].rows, 10000U);
  ASSERT_EQ(config.retrain.actions.size(), 1U);
  EXPECT_EQ(config.retrain.actions[0].learner, "steady");
  EXPECT_EQ(config.promote.on, LossKind::log_loss);
}

TEST(Config, DefaultsFollowFromOtherKeys) {
  json config = later();
  config["stream"]["allowed_lateness"] = "1h";
  config["tick_rows"] = 50;
  config["learners"] = json::parse(R"([
    {"name": "a", "network": {"kind": "linear"}, "train": {"optimizer": "sgd", "replay": {}}}])");
  config["features"] = json::parse(R"([{"name": "amount"}, {"name": "t", "from": "terminal"},
    {"name": "clock", "from": "event.time"}])");
  const PipelineConfig read = parse(config);
  EXPECT_EQ(read.schema.dedup_within, 7 * kDay + kHour);
  EXPECT_EQ(read.promote.refresh.every_rows, 50U);
  EXPECT_TRUE(read.learners[0].network.hidden.empty());
  EXPECT_DOUBLE_EQ(read.learners[0].learning_rate, 0.05);
  EXPECT_EQ(read.learners[0].replay, ReplayKind::recent);
  EXPECT_EQ(read.retrain.actions[0].learner, "a");
  EXPECT_TRUE(read.features[0].scale);
  EXPECT_EQ(read.features[1].encoding, Encoding::embedding);
  EXPECT_EQ(read.features[1].buckets, 256U);
  EXPECT_EQ(read.features[2].encoding, Encoding::time_of_day);
  config = with(minimal(), "/task", "regression");
  EXPECT_EQ(parse(config).promote.on, LossKind::absolute);
}

TEST(Config, EveryFormOfATimeIsRead) {
  const auto time = [](const char* text) {
    return parse(with(minimal(), "/stream/event/time", json::parse(text))).schema.time.form;
  };
  EXPECT_EQ(std::get<TimeField>(time(R"({"field": "t", "unit": "ms"})")),
            (TimeField{"t", TimeUnit::milliseconds}));
  EXPECT_EQ(std::get<TimeField>(time(R"({"field": "t"})")), (TimeField{"t", TimeUnit::rfc3339}));
  EXPECT_EQ(std::get<TimeDateHour>(time(R"({"date": "d", "hour": "h"})")),
            (TimeDateHour{"d", "h"}));
  EXPECT_EQ(std::get<TimeEvery>(time(R"({"every": "30m", "from": "1970-01-02T00:00:00Z"})")),
            (TimeEvery{30 * kMinute, kDay}));
  EXPECT_EQ(parse(with(minimal(), "/stream/event/utc_offset", "-06:00")).schema.time.utc_offset,
            -6 * kHour);
  for (const char* bad : {R"({"field": "t", "date": "d"})", R"({"date": "d"})", R"({"unit": "s"})",
                          R"({})", R"({"every": "30m", "from": "x"})", R"({"every": "0s", "from":
                          "1970-01-02T00:00:00Z"})",
                          "7", R"("")"}) {
    EXPECT_THAT(problems(with(minimal(), "/stream/event/time", json::parse(bad))),
                HasSubstr("stream.event.time"))
        << bad;
  }
}

TEST(Config, EveryFormOfALabelIsRead) {
  const auto known = [](const char* text) {
    return parse(with(minimal(), "/stream/label/known", json::parse(text))).schema.label;
  };
  EXPECT_EQ(known(R"("with_event")").known, LabelKnown::with_event);
  EXPECT_EQ(known(R"({"after": "7d"})").known, LabelKnown::after);
  EXPECT_EQ(known(R"({"after": "7d"})").after, 7 * kDay);
  EXPECT_EQ(known(R"({"at": "label_ts"})").at, (TimeField{"label_ts", TimeUnit::rfc3339}));
  EXPECT_EQ(known(R"({"at": {"field": "label_ts", "unit": "s"}})").at,
            (TimeField{"label_ts", TimeUnit::seconds}));
  EXPECT_EQ(parse(later()).schema.label.default_label, 0.0);
  json classes = with(later(), "/task", "multiclass");
  classes["stream"]["label"].update({{"classes", {"no", "yes"}}, {"default", "yes"}});
  EXPECT_EQ(parse(classes).schema.label.default_label, 1.0);
}

TEST(Config, ProblemsSayLineColumnPathAndWhatWouldBeRight) {
  const std::string found = problems(std::string(R"({
  "pipeline": "p",
  "task": "binry",
  "stream": {
    "event": {"time": "ts", "fields": {"ä": "number"}},
    "label": {"field": "y"}
  },
  "promote": {"alpah": 0.1, "margin": -1},
  "tick_rows": "many"
})"));
  EXPECT_EQ(found,
            "c.json:3:11: task: found \"binry\", expected \"binary\", \"multiclass\" or "
            "\"regression\"; did you mean `binary`?\n"
            "c.json:8:15: promote.alpah: unknown key; did you mean `alpha`?\n"
            "c.json:8:39: promote.margin: found -1, expected a number from 0 on\n"
            "c.json:9:16: tick_rows: found \"many\", expected a whole number from 1 to 1000000");
}

TEST(Config, ColumnsCountCharacters) {
  const json config = with(minimal(), "/stream/event/fields", {{"ää", "nmber"}});
  const std::string text = config.dump();
  const std::size_t at = text.find("\"nmber\"");
  EXPECT_THAT(problems(text), HasSubstr("c.json:1:" + std::to_string(at + 1 - 2) + ": "));
}

TEST(Config, TextThatIsNoConfigIsRefusedWithItsPlace) {
  EXPECT_THAT(problems(std::string("{\n  \"pipeline\": x\n}")), HasSubstr("c.json:2:15: not JSON"));
  EXPECT_THAT(problems(std::string("")), HasSubstr("c.json:1:1: not JSON"));
  EXPECT_THAT(problems(std::string("{} {}")), HasSubstr("not JSON"));
  EXPECT_THAT(problems(std::string("[1]")), HasSubstr("c.json:1:1: found a list of 1"));
  EXPECT_THAT(problems(std::string("{\"seed\": 1e999}")), HasSubstr("c.json:1:"));
  EXPECT_THAT(problems(std::string("{\"a\": \"\xff\"}")), HasSubstr("not JSON"));
  EXPECT_THAT(problems(std::string(100, '[')), HasSubstr("c.json:1:65: more than 64 levels"));
  EXPECT_THAT(problems(std::string((1U << 20U) + 1, ' ')), HasSubstr("more than 1048576 bytes"));
}

TEST(Config, AKeyThatStandsTwiceIsAnError) {
  EXPECT_THAT(
      problems(std::string("{\"seed\": 1,\n \"task\": {\"a\": 1, \"a\": 2},\n \"seed\": 2}")),
      AllOf(HasSubstr("c.json:2:19: the key \"a\" stands twice"),
            HasSubstr("c.json:3:2: the key \"seed\" stands twice")));
}

TEST(Config, MissingKeysAreNamedWithWhatTheyMean) {
  EXPECT_THAT(problems(json::object()),
              AllOf(HasSubstr("c.json:1:1: pipeline: missing"), HasSubstr("task: missing"),
                    HasSubstr("stream: missing")));
  json config = minimal();
  config["stream"]["label"].erase("field");
  EXPECT_THAT(problems(config), HasSubstr("stream.label.field: missing"));
}

TEST(Config, WhatThisBuildDoesNotDoIsRefusedByItsPath) {
  json config = minimal();
  config["features"] = json::parse(
      R"([{"name": "m", "agg": "mean", "of": "amount", "by": ["terminal"], "window": "1h"}])");
  config["retrain"] = json::parse(R"({"when": {"any": [{"drift": {"detector": "adwin"}},
    {"performance": {"metric": "auc"}}]}, "budget": {"training_rows_per_hour": 5}})");
  config["evaluate"]["slices"] = json::parse(R"([{"by": "amount", "edges": [50]}])");
  config["promote"]["guardrails"] = json::parse(R"([{"metric": "auc"}])");
  config["promote"]["probation"]["false_alarm_blocks"] = 1000;
  const std::string found = problems(config);
  for (const char* path :
       {"features[0].agg", "features[0].window", "retrain.when.any[0].drift",
        "retrain.when.any[1].performance", "retrain.budget.training_rows_per_hour",
        "evaluate.slices", "promote.guardrails", "promote.probation.false_alarm_blocks"}) {
    EXPECT_THAT(found, HasSubstr(std::string(path) + ": not supported by this build"));
  }
  EXPECT_THAT(found, Not(HasSubstr("unknown key")));
}

TEST(Config, KeepIsAnAgeOrASize) {
  EXPECT_EQ(problems(with(minimal(), "/stream/keep", nullptr)), "");
  EXPECT_EQ(problems(with(minimal(), "/stream/keep", {{"age", "90d"}})), "");
  EXPECT_EQ(problems(with(minimal(), "/stream/keep", {{"bytes", 20'000'000'000}})), "");
  EXPECT_THAT(problems(with(minimal(), "/stream/keep", "30d")), HasSubstr("expected an object"));
  EXPECT_NE(problems(with(minimal(), "/stream/keep", {{"age", "90d"}, {"bytes", 1}})), "");
  EXPECT_NE(problems(with(minimal(), "/stream/keep", json::object())), "");
}

TEST(Config, ContradictionsAreRefused) {
  const auto refused = [](json config, const char* pointer, const char* value, const char* place) {
    const json changed = with(std::move(config), pointer, json::parse(value));
    EXPECT_THAT(problems(changed), HasSubstr(std::string(": ") + place + ": ")) << pointer;
  };
  refused(minimal(), "/stream/label/known", R"("later")", "stream.label.wait");
  refused(minimal(), "/stream/label/known", R"("later")", "stream.event.id");
  refused(minimal(), "/stream/label/wait", R"("7d")", "stream.label.wait");
  refused(minimal(), "/stream/label/default", "0", "stream.label.default");
  refused(later(), "/stream/label/default", "2", "stream.label.default");
  refused(later(), "/stream/dedup_within", R"("6d")", "stream.dedup_within");
  refused(minimal(), "/stream/event/fields/y", R"("number")", "stream.event.fields.y");
  refused(minimal(), "/stream/label/known", R"({"at": "terminal"})",
          "stream.event.fields.terminal");
  refused(minimal(), "/stream/event/fields/amount",
          R"({"kind": "number", "missing": {"constant": "x"}})",
          "stream.event.fields.amount.missing.constant");
  refused(minimal(), "/task", R"("multiclass")", "stream.label.classes");
  refused(minimal(), "/stream/label/classes", R"(["a", "b"])", "stream.label.classes");
  refused(minimal(), "/features", R"([{"name": "x", "from": "amonut"}])", "features[0].from");
  refused(minimal(), "/features", R"([{"name": "amount", "encode": "one_hot"}])",
          "features[0].encode");
  refused(minimal(), "/features", R"([{"name": "terminal", "encode": "one_hot"}])",
          "features[0].values");
  refused(minimal(), "/features", R"([{"name": "amount"}, {"name": "amount"}])",
          "features[1].name");
  refused(minimal(), "/features", R"([{"name": "terminal", "encode": "hash", "buckets": 70000}])",
          "features[0].buckets");
  refused(minimal(), "/learners",
          R"([{"name": "a", "network": {"kind": "mlp", "hidden": [8192, 8192, 8192]}}])",
          "learners[0].network");
  refused(minimal(), "/stream/event/id", R"("y")", "stream.label.field");
  refused(minimal(), "/learners", R"([{"name": "a"}, {"name": "a"}])", "learners[1].name");
  refused(minimal(), "/learners", R"([{"name": "a", "train": {"momentum": 0.9}}])",
          "learners[0].train.momentum");
  refused(minimal(), "/learners", R"([{"name": "a", "train": {"class_weights": [1]}}])",
          "learners[0].train.class_weights");
  refused(minimal(), "/learners",
          R"([{"name": "a", "network": {"kind": "linear", "hidden": [8]}}])",
          "learners[0].network.hidden");
  refused(minimal(), "/retrain", R"({"do": [{"fresh": "staedy"}]})", "retrain.do[0].fresh");
  refused(minimal(), "/retrain", R"({"do": [{"fresh": "steady", "warm": "steady"}]})",
          "retrain.do[0]");
  refused(minimal(), "/retrain", R"({"do": []})", "retrain.do");
  refused(minimal(), "/retrain", R"({"when": {"any": [{"rows": null}]}})", "retrain.when.any[0]");
  refused(minimal(), "/retrain", R"({"when": {"any": [{"rows": 100}]}})",
          "retrain.when.any[0].rows");
  refused(minimal(), "/evaluate", R"({"warmup_rows": 1999})", "evaluate.warmup_rows");
  refused(minimal(), "/evaluate", R"({"metrics": ["rmse"]})", "evaluate.metrics[0]");
  refused(minimal(), "/promote", R"({"alpha": 0})", "promote.alpha");
  refused(minimal(), "/promote", R"({"alpha": 1})", "promote.alpha");
  refused(minimal(), "/promote", R"({"on": "absolute"})", "promote.on");
  refused(minimal(), "/pipeline", R"("../up")", "pipeline");
}

TEST(Config, WhatFollowsFromAMistakeIsNoSecondOne) {
  const std::string found = problems(with(later(), "/stream/label/wait", 7));
  EXPECT_THAT(found, HasSubstr("stream.label.wait: found 7, expected a duration"));
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 0) << found;
}

TEST(Config, TriggersMayBeSwitchedOff) {
  const json off = json::parse(R"({"when": {"any": []}, "do": []})");
  const PipelineConfig config = parse(with(minimal(), "/retrain", off));
  EXPECT_TRUE(config.retrain.when.empty());
  EXPECT_TRUE(config.retrain.actions.empty());
  EXPECT_EQ(parse_config(write_config(config), "again"), config);
}

TEST(Config, WhatIsWrittenReadsBackToAnEqualConfig) {
  std::size_t examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_folder() + "/examples")) {
    if (entry.path().extension() != ".json") continue;
    ++examples;
    const PipelineConfig config = read_config(entry.path().string());
    EXPECT_GE(config.learners.size(), 2U) << entry.path();
    const std::string written = write_config(config, 2);
    const PipelineConfig again = parse_config(written, "again");
    EXPECT_EQ(again, config) << entry.path();
    EXPECT_EQ(write_config(again, 2), written);
    EXPECT_EQ(config_hash(again), config_hash(config));
    EXPECT_TRUE(differences(config, again).empty());
  }
  EXPECT_EQ(examples, 7U);
}

TEST(Config, EveryUnusualValueSurvivesWriting) {
  json config = with(later(), "/task", "multiclass");
  config["stream"]["label"].update({{"classes", {"0", "1"}}, {"default", "1"}});
  config["stream"]["event"]["utc_offset"] = "+05:30";
  config["stream"]["event"]["fields"] = json::parse(R"({
    "a/b": {"kind": "number", "missing": {"constant": -1.5}},
    "c~d": {"kind": "category", "missing": {"constant": "7"}},
    "e": {"kind": "boolean", "missing": "reject"}, "f": "time"})");
  config["evaluate"]["cycle"] = "0s";
  config["retrain"]["when"]["any"] = json::parse(R"([{"every": "1w"}, {"rows": 5000}])");
  config["retrain"]["do"] =
      json::parse(R"([{"warm": "linear", "follow": false}, {"cut": "steady"}])");
  config["promote"]["approval"] = "manual";
  config["promote"]["refresh"]["gate"] = "evidence";
  const PipelineConfig read = parse(config);
  EXPECT_EQ(read.evaluate.cycle, Millis{0});
  EXPECT_FALSE(read.promote.automatic);
  EXPECT_TRUE(read.promote.refresh.on_evidence);
  EXPECT_EQ(read.retrain.actions[0].kind, RetrainKind::warm);
  EXPECT_EQ(parse_config(write_config(read), "again"), read);
}

TEST(Config, CanonicalFormDoesNotDependOnHowTheFileWasWritten) {
  json long_form = minimal();
  long_form["stream"]["event"]["time"] = {{"field", "ts"}, {"unit", "rfc3339"}};
  long_form["stream"]["event"]["fields"]["amount"] = {{"kind", "number"}, {"missing", "mean"}};
  long_form["promote"]["alpha"] = 0.05;
  EXPECT_EQ(config_hash(parse(long_form)), config_hash(parse(minimal())));
  EXPECT_NE(config_hash(parse(with(minimal(), "/seed", 2))), config_hash(parse(minimal())));
}

/// Every key of a written config has its place, with a description, in the schema.
void expect_described(const json& value, const json& schema, const std::string& path) {
  if (value.is_array()) {
    for (const json& item : value) expect_described(item, schema.at("items"), path + "[]");
    return;
  }
  if (!value.is_object() || !schema.contains("properties")) return;
  for (const auto& [name, inner] : value.items()) {
    ASSERT_TRUE(schema.at("properties").contains(name)) << path << "." << name;
    const json& property = schema.at("properties").at(name);
    EXPECT_TRUE(property.contains("description")) << path << "." << name;
    expect_described(inner, property, path + "." + name);
  }
}

TEST(ConfigSchema, ListsEveryKeyWithItsDefault) {
  const json schema = json::parse(config_schema());
  EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema.at("required"), json({"pipeline", "task", "stream"}));
  expect_described(json::parse(write_config(parse(minimal()))), schema, "");
  const json& alpha = schema.at("/properties/promote/properties/alpha"_json_pointer);
  EXPECT_EQ(alpha.at("default"), 0.05);
  EXPECT_EQ(alpha.at("exclusiveMaximum"), 1.0);
  EXPECT_EQ(schema.at("/properties/stream/additionalProperties"_json_pointer), false);
  EXPECT_EQ(schema.dump().find("guardrails"), std::string::npos);
}

TEST(ConfigDifferences, SayWhatEachChangeMeans) {
  const PipelineConfig from = parse(minimal());
  json changed = minimal();
  changed["promote"]["alpha"] = 0.01;
  changed["tick_rows"] = 32;
  changed["stream"]["source"]["kind"] = "demo";
  changed["learners"] = json::parse(write_config(from)).at("learners");
  changed["learners"][0]["train"]["batch"] = 16;
  changed["learners"][1]["name"] = "straight";
  changed["learners"].push_back({{"name", "third"}});
  std::map<std::string, ConfigDifference> found;
  for (const ConfigDifference& d : differences(from, parse(changed))) found[d.path] = d;
  EXPECT_EQ(found.size(), 8U);
  EXPECT_EQ(found["promote.alpha"].from, "0.05");
  EXPECT_EQ(found["promote.alpha"].to, "0.01");
  EXPECT_EQ(found["promote.alpha"].means, "policy");
  EXPECT_EQ(found["promote.refresh.every_rows"].means, "policy");
  EXPECT_EQ(found["stream.source.kind"].means, "policy");
  EXPECT_EQ(found["tick_rows"].means, "new workspace");
  EXPECT_EQ(found["learners.steady.train.batch"].means, "new learner");
  EXPECT_EQ(found["learners.linear"].means, "learner stops");
  EXPECT_EQ(found["learners.straight"].means, "new learner");
  EXPECT_EQ(found["learners.third"].from, "absent");
  EXPECT_TRUE(differences(from, from).empty());
}

TEST(Config, AFileThatIsNotThereIsSaidSo) {
  try {
    read_config("/nowhere/config.json");
    FAIL() << "read a file that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/config.json"));
  }
  EXPECT_THROW(read_config(source_folder()), Error);
}

}  // namespace
}  // namespace freshet
