#include "stream/csv_to_json.h"

#include <gtest/gtest.h>

#include "stream/error.h"
#include "stream/jsonl_source.h"

namespace freshet {
namespace {

Schema schema() {
  Schema schema;
  schema.task = Task::binary;
  schema.id_field = "id";
  schema.time.form = TimeField{"ts", TimeUnit::nanoseconds};
  schema.fields = {{"amount", FieldKind::number, MissingRule::mean, ""},
                   {"shop", FieldKind::category, MissingRule::mean, ""},
                   {"abroad", FieldKind::boolean, MissingRule::mean, ""}};
  schema.label.field = "label";
  return schema;
}

TEST(CsvToJson, MakesNumbersAndTruthOfWhatStandsForThem) {
  CsvToJson to_json(schema(), "id,ts, amount,shop,abroad,label,note");
  EXPECT_EQ(to_json.line("007,1704067200123456789, .5 ,12,true,1,x"),
            R"({"id":"007","ts":1704067200123456789,"amount":0.5,"shop":"12","abroad":true,)"
            R"("label":1})");
  EXPECT_EQ(to_json.line(R"(a,1,,"say ""hi"", you",,0,)"),
            R"({"id":"a","ts":1,"shop":"say \"hi\", you","label":0})");
}

TEST(CsvToJson, LeavesWhatIsWrongToBeRefused) {
  CsvToJson to_json(schema(), "id,ts,amount,shop,abroad,label");
  JsonlDecoder decoder(schema(), false);
  Event event;
  EXPECT_FALSE(decoder.decode(to_json.line("a,1,2,s,0,1"), event));
  for (const char* record : {"a,1,many,s,0,1", "a,1,2,s,perhaps,1", "a,1,2,s,0,2", "a,1,2",
                             "a,1,\"2,s,0,1", "a,1,nan,s,0,1", "a,1,1e999,s,0,1"}) {
    EXPECT_TRUE(decoder.decode(to_json.line(record), event)) << record;
  }
}

}  // namespace
}  // namespace freshet
