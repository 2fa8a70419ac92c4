#include <gmock/gmock.h>

#include "stream/error.h"
#include "stream/line_reader.h"
#include "tests/stream/text_input.h"

namespace freshet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using JsonlSource = TextInputTest;

TEST_F(JsonlSource, KeysAreTakenByNameInAnyOrder) {
  EXPECT_THAT(
      read("a.jsonl", R"({"id":"a","t":1,"x":2.5,"c":"red","y":1})"
                      "\n"
                      R"({"more":{"deep":[1,{"x":7}]},"y":false,"c":7,"x":-3,"t":2,"id":12})"
                      "\n"
                      R"({"id":"é\u00e9","t":3,"x":null,"y":null})"
                      "\n"
                      R"({"x":1e400000,"id":"d"})"),
      ElementsAre("event a 1 2.5 red =1", "event 12 2 -3 7 =0", "event éé 3 - -",
                  HasSubstr("`x`")));
}

TEST_F(JsonlSource, NumbersNobodyAsksForDoNoHarm) {
  EXPECT_THAT(read("a.jsonl", R"({"id":"a","t":1,"other":1e999,"x":1})"),
              ElementsAre("event a 1 1 -"));
}

TEST_F(JsonlSource, BadRecordsAreNamedAndTheOthersGoOn) {
  const auto records = read("a.jsonl",
                            "not json\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":\n"
                            "[1,2]\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":\"2\"}\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":NaN}\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":-Infinity}\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":1e999}\n"
                            "{\"id\":\"a\",\"t\":1,\"c\":[1]}\n"
                            "{\"id\":\"a\",\"t\":\"1\"}\n"
                            "{\"id\":\"a\",\"x\":1}\n"
                            "{\"id\":\"a\",\"t\":1,\"y\":2}\n"
                            "{\"id\":\"a\",\"t\":1,\"x\":1,\"x\":2}\n"
                            "{\"id\":\"a\",\"t\":1} {\"id\":\"b\",\"t\":1}\n"
                            "{\"id\":\"a\",\"t\":1,\"c\":\"\xC3\x28\"}\n"
                            "{\"id\":\"a\",\"t\":1,\"c\":true}\n"
                            "3\n"
                            "{\"id\":\"z\",\"t\":1,\"x\":1,\"c\":\"red\",\"y\":true}\n");
  ASSERT_THAT(records, SizeIs(17));
  EXPECT_THAT(records[0], AllOf(HasSubstr("bad 1:"), HasSubstr("JSON object")));
  EXPECT_THAT(records[1], HasSubstr("bad 2:"));
  EXPECT_THAT(records[2], HasSubstr("array"));
  EXPECT_THAT(records[3], AllOf(HasSubstr("`x`"), HasSubstr("the text \"2\"")));
  EXPECT_THAT(records[4], AllOf(HasSubstr("`x`"), HasSubstr("NaN")));
  EXPECT_THAT(records[5], AllOf(HasSubstr("`x`"), HasSubstr("-Infinity")));
  EXPECT_THAT(records[6], AllOf(HasSubstr("`x`"), HasSubstr("1e999"), HasSubstr("finite")));
  EXPECT_THAT(records[7], AllOf(HasSubstr("`c`"), HasSubstr("an array")));
  EXPECT_THAT(records[8], AllOf(HasSubstr("`t`"), HasSubstr("the text \"1\"")));
  EXPECT_THAT(records[9], AllOf(HasSubstr("`t`"), HasSubstr("missing")));
  EXPECT_THAT(records[10], AllOf(HasSubstr("`y`"), HasSubstr("found 2")));
  EXPECT_THAT(records[11], AllOf(HasSubstr("`x`"), HasSubstr("twice")));
  EXPECT_THAT(records[12], HasSubstr("one object a line"));
  EXPECT_THAT(records[13], AllOf(HasSubstr("UTF-8"), HasSubstr("0xc3")));
  EXPECT_THAT(records[14], AllOf(HasSubstr("`c`"), HasSubstr("true")));
  EXPECT_THAT(records[15], HasSubstr("found \"3\""));
  EXPECT_EQ(records[16], "event z 1 1 red =1");
}

TEST_F(JsonlSource, LineOfTenMegabytesIsOneBadRecord) {
  const std::string good = R"({"id":"a","t":1,"x":1,"c":"red","y":1})";
  const std::string huge = R"({"id":")" + std::string(10'000'000, 'a') + "\"}";
  const auto source = open(write("a.jsonl", good + "\n" + huge + "\n" + good + "\n"));
  Collected collected;
  while (source->poll(1, collected) == PollStatus::ready) {
  }
  ASSERT_THAT(collected.records, SizeIs(3));
  EXPECT_EQ(collected.records[1], "bad 2: the record is 10000009 bytes long, more than 1 MiB");
  EXPECT_THAT(collected.raws, ElementsAre(SizeIs(4096)));
  EXPECT_EQ(collected.records[2], "event a 1 1 red =1");
  EXPECT_EQ(source->progress()[0].records, 3U);
}

TEST_F(JsonlSource, RecordAtTheLimitIsTakenAndOneByteMoreIsNot) {
  const std::string start = R"({"id":"a","t":1,"c":")";
  const std::size_t rest = kMaxRecordBytes - start.size() - 2;
  const auto records = read("a.jsonl", start + std::string(rest, 'x') + "\"}\n" + start +
                                           std::string(rest + 1, 'x') + "\"}\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_THAT(records[0], HasSubstr("event a 1"));
  EXPECT_THAT(records[1], HasSubstr("1048577 bytes"));
}

TEST_F(JsonlSource, DeepNestingIsPassedOver) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(read("a.jsonl", R"({"id":"a","deep":)" + deep + R"(,"t":1,"x":1})" + "\n" +
                                  R"({"id":"b","t":2,"x":1})"),
              testing::Contains("event b 2 1 -"));
}

TEST_F(JsonlSource, OtherFieldKindsAreChecked) {
  schema.fields = {{"b", FieldKind::boolean, MissingRule::mean, ""},
                   {"when", FieldKind::time, MissingRule::mean, ""}};
  schema.time.form = TimeField{"t", TimeUnit::rfc3339};
  const auto records = read(
      "a.jsonl", R"({"id":"a","t":"1970-01-01T00:00:01Z","b":true,"when":"1970-01-01T00:00:00.5Z"})"
                 "\n"
                 R"({"id":"a","t":"1970-01-01T00:00:01Z","b":2})"
                 "\n"
                 R"({"id":"a","t":"1970-01-01T00:00:01Z","when":12})"
                 "\n"
                 R"({"id":"a","t":1})");
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_EQ(records[0], "event a 1000 1 500");
  EXPECT_THAT(records[1], AllOf(HasSubstr("`b`"), HasSubstr("found 2")));
  EXPECT_THAT(records[2], AllOf(HasSubstr("`when`"), HasSubstr("found 12")));
  EXPECT_THAT(records[3], AllOf(HasSubstr("`t`"), HasSubstr("RFC 3339")));
}

TEST_F(JsonlSource, ClassOutsideTheTaskIsBad) {
  schema.task = Task::multiclass;
  schema.label.classes = {"cat", "dog"};
  const auto records = read("a.jsonl",
                            "{\"id\":\"a\",\"t\":1,\"y\":\"dog\"}\n"
                            "{\"id\":\"a\",\"t\":1,\"y\":\"cow\"}\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0], "event a 1 - - =1");
  EXPECT_THAT(records[1], AllOf(HasSubstr("`y`"), HasSubstr("\"cow\""), HasSubstr("cat, dog")));
}

TEST_F(JsonlSource, ObjectWithoutEventFieldsIsALabelRecordWhenLabelsComeLater) {
  schema.label.known = LabelKnown::later;
  const auto records = read("a.jsonl",
                            "{\"id\":\"a\",\"t\":1,\"x\":1}\n"
                            "{\"id\":\"a\",\"time\":5,\"y\":1}\n"
                            "{\"id\":\"a\",\"y\":1}\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0], "event a 1 1 -");
  EXPECT_EQ(records[1], "label a 5 =1");
  EXPECT_THAT(records[2], HasSubstr("label record without a time"));
}

}  // namespace
}  // namespace freshet
