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
using CsvSource = TextInputTest;

TEST_F(CsvSource, ColumnsAreTakenByNameAndOthersPassedOver) {
  EXPECT_THAT(read("a.csv", "y,other,c,t,id,x\n1,?,red,1000,a,2.5\n0,?,,2000,b,\n"),
              ElementsAre("event a 1000 2.5 red =1", "event b 2000 - - =0"));
}

TEST_F(CsvSource, QuotedCellsMayHoldCommasQuotesAndLineEnds) {
  EXPECT_THAT(read("a.csv",
                   "id,t,x,c,y\n"
                   "a,1,1,\"red, or \"\"so\"\"\",1\n"
                   "b,2,\"2\",\"two\nlines\",0\n"
                   "c,3,3,5\" pipe,0\n"
                   "d,4,,\"\",0\n"),
              ElementsAre("event a 1 1 red, or \"so\" =1", "event b 2 2 two\nlines =0",
                          "event c 3 3 5\" pipe =0", "event d 4 - - =0"));
}

TEST_F(CsvSource, ByteOrderMarkCrLfAndBlankLinesAreNoData) {
  const std::string path =
      write("a.csv", "\xEF\xBB\xBFid,t,x,c,y\r\na,1,1,red,1\r\n\r\nb,2,2,blue,0");
  const auto source = open(path);
  Collected collected;
  source->poll(10, collected);
  EXPECT_THAT(collected.records, ElementsAre("event a 1 1 red =1", "event b 2 2 blue =0"));
  EXPECT_THAT(collected.lines, ElementsAre(2, 4));
}

TEST_F(CsvSource, LineNumbersCountLinesWithinQuotes) {
  const auto source = open(write("a.csv", "id,t,x,c,y\na,1,1,\"r\n\n\",1\nb,2,?,c,0\n"));
  Collected collected;
  source->poll(10, collected);
  EXPECT_THAT(collected.lines, ElementsAre(2, 5));
}

TEST_F(CsvSource, HeaderThatMissesAFieldIsRefusedWithTheNearestColumn) {
  const auto source = open(write("a.csv", "id,t,color,c,label_y\na,1,1,1,1\n"));
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { read_all(*source); }),
              AllOf(HasSubstr("a.csv"), HasSubstr("`x`")));
  schema.fields[1].name = "colour";
  const auto other = open(write("b.csv", "id,t,x,color,y\n"));
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { read_all(*other); }),
              AllOf(HasSubstr("`colour`"), HasSubstr("nearest: `color`")));
}

TEST_F(CsvSource, EmptyFileIsRefused) {
  const auto source = open(write("a.csv", ""));
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { read_all(*source); }), HasSubstr("is empty"));
}

TEST_F(CsvSource, ColumnThatStandsTwiceIsRefused) {
  const auto source = open(write("a.csv", "id,t,x,c,y,x\n"));
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { read_all(*source); }), HasSubstr("`x`"));
}

TEST_F(CsvSource, BadRecordsAreNamedAndTheOthersGoOn) {
  const auto records = read("a.csv",
                            "id,t,x,c,y\n"
                            "a,1,nan,red,1\n"
                            "b,2,inf,red,1\n"
                            "c,3,1e999,red,1\n"
                            "d,4,abc,red,1\n"
                            "e,,1,red,1\n"
                            "f,soon,1,red,1\n"
                            "g,7,1,red,2\n"
                            "h,8,1,red\n"
                            ",9,1,red,1\n"
                            "i,10,1,r\xFF,1\n"
                            "j,11,1,\"r\"d,1\n"
                            "k,99999999999999999,1,red,1\n"
                            "l,12,1,red,1\n");
  ASSERT_THAT(records, SizeIs(13));
  EXPECT_THAT(records[0], AllOf(HasSubstr("bad 2"), HasSubstr("`x`"), HasSubstr("\"nan\"")));
  EXPECT_THAT(records[1], AllOf(HasSubstr("`x`"), HasSubstr("\"inf\"")));
  EXPECT_THAT(records[2], AllOf(HasSubstr("`x`"), HasSubstr("\"1e999\""), HasSubstr("finite")));
  EXPECT_THAT(records[3], AllOf(HasSubstr("`x`"), HasSubstr("\"abc\"")));
  EXPECT_THAT(records[4], AllOf(HasSubstr("`t`"), HasSubstr("the time is missing")));
  EXPECT_THAT(records[5], AllOf(HasSubstr("`t`"), HasSubstr("\"soon\"")));
  EXPECT_THAT(records[6], AllOf(HasSubstr("`y`"), HasSubstr("\"2\"")));
  EXPECT_THAT(records[7], AllOf(HasSubstr("4 cells"), HasSubstr("expected 5")));
  EXPECT_THAT(records[8], AllOf(HasSubstr("`id`"), HasSubstr("missing")));
  EXPECT_THAT(records[9], AllOf(HasSubstr("UTF-8"), HasSubstr("0xff"), HasSubstr("offset 8")));
  EXPECT_THAT(records[10], HasSubstr("after the closing quote"));
  EXPECT_THAT(records[11], HasSubstr("`t`"));
  EXPECT_EQ(records[12], "event l 12 1 red =1");
}

TEST_F(CsvSource, QuoteThatNeverClosesCostsOneLine) {
  const auto records = read("a.csv", "id,t,x,c,y\na,1,1,\"red,1\nb,2,2,red,0\nc,3,3,red,0\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_THAT(records[0], HasSubstr("bad 2: a quote opens"));
  EXPECT_EQ(records[1], "event b 2 2 red =0");
  EXPECT_EQ(records[2], "event c 3 3 red =0");
}

TEST_F(CsvSource, QuoteThatClosesTooLateCostsOneLine) {
  std::string bytes = "id,t,x,c,y\na,1,1,\"red,1\n";
  for (int i = 0; i < 100'000; ++i) bytes += "b,2,2,red,0\n";
  bytes += "c,3,3,\"red\",0\n";
  const auto records = read("a.csv", bytes);
  ASSERT_THAT(records, SizeIs(100'002));
  EXPECT_THAT(records[0], HasSubstr("bad 2: a quote opens"));
  EXPECT_EQ(records[100'001], "event c 3 3 red =0");
}

TEST_F(CsvSource, ALineThatIsTooLongCostsNoOther) {
  const std::string cell(kMaxRecordBytes + 50'000, 'r');
  EXPECT_THAT(read("a.csv", "id,t,x,c,y\na,1,1,\"" + cell + "\",1\nb,2,2,blue,0\n"),
              ElementsAre(HasSubstr("bad 2:"), "event b 2 2 blue =0"));
}

TEST_F(CsvSource, MissingValuesFollowTheirRules) {
  schema.fields[0].missing = MissingRule::constant;
  schema.fields[0].missing_constant = "-1";
  schema.fields[1].missing = MissingRule::reject;
  const auto records = read("a.csv", "id,t,x,c,y\na,1,,red,1\nb,2,2,,1\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0], "event a 1 -1 red =1");
  EXPECT_THAT(records[1], AllOf(HasSubstr("`c`"), HasSubstr("reject")));
}

TEST_F(CsvSource, ConstantThatIsNoValueOfItsFieldIsRefused) {
  schema.fields[0].missing = MissingRule::constant;
  schema.fields[0].missing_constant = "none";
  const std::string path = write("a.csv", "id,t,x,c,y\n");
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { open(path); }),
              AllOf(HasSubstr("`x`"), HasSubstr("\"none\"")));
}

TEST_F(CsvSource, TimesComeAsDateAndHourOrWithAUnit) {
  schema.time.form = TimeDateHour{"day", "hr"};
  const auto records =
      read("a.csv", "id,day,hr,x,c,y\na,1970-01-02,3,1,c,1\nb,1970-01-02,24,1,c,1\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0], "event a 97200000 1 c =1");
  EXPECT_THAT(records[1], AllOf(HasSubstr("`hr`"), HasSubstr("\"24\"")));

  schema.time.form = TimeField{"t", TimeUnit::seconds};
  schema.time.utc_offset = kHour;
  EXPECT_THAT(read("b.csv", "id,t,x,c,y\na,7200,1,c,1\nb,3600.25,1,c,1\n"),
              ElementsAre("event a 3600000 1 c =1", "event b 250 1 c =1"));

  schema.time = {TimeEvery{kHour, 0}, 0};
  EXPECT_THAT(read("c.csv", "id,x,c,y\na,1,c,1\n"), ElementsAre("event a 0 1 c =1"));
}

TEST_F(CsvSource, LabelTimeStandsInItsField) {
  schema.label.known = LabelKnown::at;
  schema.label.at = {"known", TimeUnit::milliseconds};
  const auto records = read("a.csv", "id,t,x,c,y,known\na,1,1,c,1,50\nb,2,1,c,,\nc,3,1,c,0,\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0], "event a 1 1 c =1@50");
  EXPECT_EQ(records[1], "event b 2 1 c");
  EXPECT_THAT(records[2], AllOf(HasSubstr("bad 4"), HasSubstr("`known`")));
}

TEST_F(CsvSource, RowWithoutEventFieldsIsALabelRecordWhenLabelsComeLater) {
  schema.label.known = LabelKnown::later;
  const auto records = read("a.csv", "id,t,x,c,y\na,1,1,c,\na,5,,,1\nb,6,1,c,1\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0], "event a 1 1 c");
  EXPECT_EQ(records[1], "label a 5 =1");
  EXPECT_THAT(records[2], AllOf(HasSubstr("`y`"), HasSubstr("later")));
}

}  // namespace
}  // namespace freshet
