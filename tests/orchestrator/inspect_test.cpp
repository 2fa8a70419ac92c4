#include "orchestrator/inspect.h"

#include <gmock/gmock.h>

#include <functional>
#include <variant>

#include "orchestrator/config.h"
#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class InspectTest : public FolderTest {
 protected:
  InspectTest() { options_.label = "y"; }

  /// A file of `count` records, and what is inferred from it.
  InferredConfig infer(const std::string& name, const std::string& header,
                       const std::function<std::string(int)>& record, int count = 60) {
    std::string text = header;
    for (int i = 0; i < count; ++i) text += record(i) + "\n";
    write(path(name), text);
    return infer_config(path(name), options_);
  }

  PipelineConfig config(const InferredConfig& inferred) {
    return parse_config(inferred.text, "inferred");
  }

  /// "name:kind" of each field, in order.
  std::vector<std::string> fields(const InferredConfig& inferred) {
    const std::vector<std::string> kinds = {"number", "category", "boolean", "text", "time"};
    std::vector<std::string> found;
    for (const Field& field : config(inferred).schema.fields) {
      found.push_back(field.name + ":" + kinds.at(static_cast<std::size_t>(field.kind)));
    }
    return found;
  }

  std::string refusal(const std::string& name, const std::string& text) {
    write(path(name), text);
    return error_of(ErrorKind::invalid, [&] { infer_config(path(name), options_); });
  }

  static std::string text(int i) { return std::to_string(i); }

  InferOptions options_;
};

TEST_F(InspectTest, KindsAreThoseTheValuesHave) {
  const auto inferred = infer("My Data.v2.csv", "n,few,word,flag,when,mixed,none,y\n", [](int i) {
    return text(i * i % 17) + ".5," + text(i % 3) + ",w" + text(i % 5) + "," +
           (i % 4 == 0 ? "true" : "false") + ",2020-01-0" + text(i % 7 + 1) + "," +
           (i == 40 ? "x" : "1") + ",," + text(i % 2);
  });
  EXPECT_THAT(fields(inferred), UnorderedElementsAre("n:number", "few:number", "word:category",
                                                     "flag:boolean", "mixed:category"));
  EXPECT_EQ(config(inferred).pipeline, "my-data");
  EXPECT_EQ(std::get<TimeField>(config(inferred).schema.time.form).name, "when");
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"none\" is left out: it is empty")));
}

TEST_F(InspectTest, TheTaskFollowsTheLabel) {
  const auto task = [&](const std::function<std::string(int)>& label) {
    return config(infer("t.csv", "x,y\n", [&](int i) { return text(i % 7) + "," + label(i); }))
        .schema;
  };
  EXPECT_EQ(task([](int i) { return text(i % 2); }).task, Task::binary);
  EXPECT_EQ(task([](int i) { return i % 2 ? "True" : "False"; }).task, Task::binary);
  const Schema words = task([](int i) { return i % 2 ? "up" : "down"; });
  EXPECT_EQ(words.task, Task::multiclass);
  EXPECT_THAT(words.label.classes, ElementsAre("down", "up"));
  EXPECT_THAT(task([](int i) { return text(i % 3 * 5 + 1); }).label.classes,
              ElementsAre("1", "6", "11"));
  EXPECT_EQ(task([](int i) { return text(i % 25); }).task, Task::regression);
  EXPECT_EQ(task([](int i) { return text(i % 2) + ".5"; }).task, Task::regression);
}

TEST_F(InspectTest, AStatedTaskWinsIfTheLabelAllowsIt) {
  options_.task = "regression";
  const auto record = [](int i) { return text(i % 7) + "," + text(i % 3); };
  EXPECT_EQ(config(infer("t.csv", "x,y\n", record)).schema.task, Task::regression);
  options_.task = "binary";
  EXPECT_THAT(refusal("t.csv", "x,y\n1,2\n2,3\n"), HasSubstr("--task binary"));
  options_.task = "ranking";
  EXPECT_THAT(refusal("t.csv", "x,y\n1,2\n2,3\n"), HasSubstr("found \"ranking\""));
}

TEST_F(InspectTest, WhatGivesARegressionsLabelAwayIsLeftOut) {
  const auto inferred = infer("bikes.csv", "instant,casual,registered,close,fair,y\n", [](int i) {
    const int casual = i * 7 % 11;
    const int registered = i * 13 % 37;
    const int y = casual + registered;
    return text(i + 1) + "," + text(casual) + "," + text(registered) + "," + text(2 * y) + "." +
           text(i % 3) + "," + text((y + i * 5 % 31)) + "," + text(y);
  });
  EXPECT_THAT(fields(inferred), ElementsAre("fair:number"));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"instant\" is left out: it counts")));
  EXPECT_THAT(inferred.notes,
              Contains(HasSubstr("\"casual\" is left out: with \"registered\" it adds up")));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"close\" is left out: it gives the label")));
}

TEST_F(InspectTest, WhatSplitsABinaryLabelIsLeftOut) {
  const auto inferred = infer("f.csv", "delay,early,y\n", [](int i) {
    const int delay = i * 11 % 29;
    return text(delay) + "," + text(delay + i % 9 * 4) + "," + (delay >= 15 ? "1" : "0");
  });
  EXPECT_THAT(fields(inferred), ElementsAre("early:number"));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"delay\" is left out")));
}

TEST_F(InspectTest, FewRecordsAreNoProofOfALeak) {
  const auto inferred = infer(
      "s.csv", "x,y\n", [](int i) { return text(i * i % 5) + "," + text(i * i % 5) + ".5"; }, 6);
  EXPECT_THAT(fields(inferred), ElementsAre("x:number"));
}

TEST_F(InspectTest, TimesAreGuessedWithTheirUnitAndLaterTimesLeftOut) {
  const auto inferred = infer("f.csv", "at,x,known_at,y\n", [](int i) {
    return text(1293861000 + 60 * i) + "000," + text(i % 7) + "," +
           text(1293861000 + 60 * i + i * 31 % 500) + "000," + text(i % 2);
  });
  const auto time = std::get<TimeField>(config(inferred).schema.time.form);
  EXPECT_EQ(time.name, "at");
  EXPECT_EQ(time.unit, TimeUnit::milliseconds);
  EXPECT_THAT(fields(inferred), ElementsAre("x:number"));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr(R"({"at":{"field":"known_at","unit":"ms"}})")));
}

TEST_F(InspectTest, ADateGoesWithItsHour) {
  const auto record = [](int i) {
    return "2011-01-0" + text(i / 24 + 1) + "," + text(i % 24) + "," + text(i % 2);
  };
  const auto guessed = infer("b.csv", "day,hr,y\n", record);
  EXPECT_EQ(std::get<TimeDateHour>(config(guessed).schema.time.form).hour, "hr");
  EXPECT_THAT(fields(guessed), ElementsAre("hr:number"));
  options_.time = "day,hr";
  EXPECT_EQ(infer("b.csv", "day,hr,y\n", record).text, guessed.text);
  options_.time = "hr,day";
  EXPECT_THAT(refusal("b.csv", "day,hr,y\n2011-01-01,1,0\n2011-01-01,2,1\n"),
              HasSubstr("\"hr\" holds no dates"));
}

TEST_F(InspectTest, DataWithoutTimesGetAStep) {
  const auto record = [](int i) { return text(i % 7) + "," + text(i % 2); };
  EXPECT_EQ(std::get<TimeEvery>(config(infer("e.csv", "x,y\n", record)).schema.time.form).every,
            kSecond);
  options_.time = "every:30m,from:1996-05-07T00:00:00Z";
  EXPECT_EQ(std::get<TimeEvery>(config(infer("e.csv", "x,y\n", record)).schema.time.form),
            (TimeEvery{30 * kMinute, *parse_time("1996-05-07T00:00:00Z")}));
  for (const std::string bad : {"every:", "every:soon", "every:30m,from:then", "every:0s"}) {
    options_.time = bad;
    EXPECT_THAT(refusal("e.csv", "x,y\n1,0\n2,1\n"), HasSubstr("--time")) << bad;
  }
}

TEST_F(InspectTest, WhenLabelsBecomeKnownCanBeSaid) {
  const auto record = [](int i) {
    return text(i % 7) + ",2020-01-0" + text(i % 7 + 1) + "," + text(i % 2);
  };
  options_.time = "every:1m";
  options_.known = "after:7d";
  EXPECT_EQ(config(infer("k.csv", "x,seen,y\n", record)).schema.label.after, 7 * kDay);
  options_.known = "at:seen";
  const auto at = infer("k.csv", "x,seen,y\n", record);
  EXPECT_EQ(config(at).schema.label.at.name, "seen");
  EXPECT_THAT(fields(at), ElementsAre("x:number"));
  options_.known = "later";
  EXPECT_THAT(refusal("k.csv", "x,y\n1,0\n2,1\n"), HasSubstr("--known: found \"later\""));
}

TEST_F(InspectTest, JsonLinesAreJudgedAsTheirSourceReadsThem) {
  const auto inferred = infer("j.jsonl", "", [](int i) {
    return R"({"n":)" + text(i % 7) + R"(,"digits":")" + text(i % 5) + R"(","b":)" +
           (i % 2 ? "true" : "false") + R"(,"list":[)" + text(i) + R"(],"odd":)" +
           (i % 9 ? "true" : "\"x\"") + (i > 3 ? R"(,"late":1.5)" : "") +
           (i == 5 ? R"(,"n2":null)" : "") + R"(,"y":)" + text(i % 2) + "}";
  });
  EXPECT_THAT(fields(inferred),
              UnorderedElementsAre("b:boolean", "digits:category", "n:number", "late:number"));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"list\" is left out: it holds lists")));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"odd\" is left out")));
}

TEST_F(InspectTest, BadRecordsAndDeepNestingDoNoHarm) {
  const auto inferred = infer("d.jsonl", "", [](int i) {
    if (i == 0) {
      return R"({"y":1,"x":)" + std::string(400000, '[') + std::string(400000, ']') + "}";
    }
    if (i == 1) return std::string(400000, '{');
    if (i == 2) return std::string("{\"y\":\"\xff\"}");
    return R"({"z":)" + text(i % 7) + R"(,"y":)" + text(i % 2) + "}";
  });
  EXPECT_THAT(fields(inferred), ElementsAre("z:number"));
}

TEST_F(InspectTest, IdsDroppedFieldsAndFieldsThatIdentifyARecordAreLeftOut) {
  options_.id = "tx";
  options_.drop = {"scenario"};
  const auto inferred = infer("i.csv", "tx,scenario,hash,,x,y\n", [](int i) {
    return "t" + text(i) + ",1,h" + text(i) + ",1," + text(i % 7) + "," + text(i % 2);
  });
  EXPECT_EQ(config(inferred).schema.id_field, "tx");
  EXPECT_THAT(fields(inferred), ElementsAre("x:number"));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("\"hash\" is left out: it is another one")));
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("a field needs a name")));
}

TEST_F(InspectTest, AnOptionThatNamesNoFieldIsRefusedWithTheNearest) {
  options_.label = "lable";
  EXPECT_THAT(refusal("o.csv", "x,label\n1,0\n2,1\n"),
              HasSubstr("--label: found \"lable\", expected a field (nearest: \"label\")"));
  options_.label = "label";
  options_.time = "when";
  EXPECT_THAT(refusal("o.csv", "x,label\n1,0\n2,1\n"), HasSubstr("--time: found \"when\""));
  options_.time = "x";
  EXPECT_THAT(refusal("o.csv", "x,label\n1,0\n2,1\n"), HasSubstr("expected times"));
}

TEST_F(InspectTest, InputsThatTellNothingAreRefused) {
  EXPECT_THAT(refusal("a.csv", ""), HasSubstr("found no record"));
  EXPECT_THAT(refusal("a.csv", "x,y\n"), HasSubstr("found no record"));
  EXPECT_THAT(refusal("a.csv", "x\xff,y\n1,2\n"), HasSubstr("the header"));
  EXPECT_THAT(refusal("a.csv", "x,x,y\n1,2,3\n"), HasSubstr("stands twice"));
  EXPECT_THAT(refusal("a.csv", "x,y\n1,c\n2,c\n"), HasSubstr("only \"c\""));
  EXPECT_THAT(refusal("a.csv", "x,y\n1,\n2,\n"), HasSubstr("found none"));
  EXPECT_THAT(refusal("a.csv", "x,y\n,1\n,0\n"), HasSubstr("no field is left"));
  EXPECT_THAT(refusal("a.jsonl", "[1]\n[2]\n"), HasSubstr("found no record"));
  error_of(ErrorKind::not_found, [&] { infer_config(path("none.csv"), options_); });
}

TEST_F(InspectTest, LabelsOfOneClassAreBinaryAndSaidSo) {
  const auto inferred = infer("f.csv", "x,y\n", [](int i) { return text(i % 7) + ",0"; });
  EXPECT_EQ(config(inferred).schema.task, Task::binary);
  EXPECT_THAT(inferred.notes, Contains(HasSubstr("of one class only")));
}

}  // namespace
}  // namespace freshet
