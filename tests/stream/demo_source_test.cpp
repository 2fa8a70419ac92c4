#include "stream/demo_source.h"

#include <gmock/gmock.h>

#include <map>

#include "stream/error.h"
#include "tests/stream/text_input.h"

namespace freshet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Schema demo_schema() {
  Schema schema;
  schema.id_field = "tx_id";
  schema.time.form = TimeField{"tx_time", TimeUnit::rfc3339};
  schema.fields = {{"amount", FieldKind::number, MissingRule::mean, ""},
                   {"distance_km", FieldKind::number, MissingRule::mean, ""},
                   {"online", FieldKind::boolean, MissingRule::mean, ""},
                   {"terminal", FieldKind::category, MissingRule::mean, ""},
                   {"customer", FieldKind::category, MissingRule::mean, ""},
                   {"merchant", FieldKind::category, MissingRule::mean, ""}};
  schema.label.field = "is_fraud";
  schema.label.known = LabelKnown::later;
  schema.label.wait = 2 * kDay;
  schema.label.default_label = 0;
  return schema;
}

/// Counts what a stream consists of and checks its order.
class Census : public RecordSink {
 public:
  void event(const Event& event, const Origin& /*origin*/) override {
    EXPECT_GE(event.time, last_) << event.id;
    last_ = event.time;
    if (event.kind == RecordKind::label) {
      EXPECT_EQ(event.label, 1.0);
      const Millis delay = event.time - asked_.at(std::string(event.id));
      EXPECT_TRUE(delay >= kHour && delay < 2 * kDay) << delay;
      ++frauds;
      return;
    }
    EXPECT_TRUE(asked_.emplace(event.id, event.time).second) << event.id;
    ++events;
    for (const FieldValue& value : event.values) missing += value.missing ? 1 : 0;
  }
  void bad(const Origin& /*origin*/, const std::string& reason) override {
    ADD_FAILURE() << reason;
  }

  int events = 0;
  int frauds = 0;
  int missing = 0;
  Millis last() const { return last_; }

 private:
  Millis last_ = 0;
  std::map<std::string, Millis> asked_;
};

TEST(DemoSource, GivesItsEventsAndLaterTheLabelsOfTheFrauds) {
  const auto source = demo_source({}, demo_schema(), std::nullopt);
  Census census;
  while (source->poll(1000, census) == PollStatus::ready) {
  }
  EXPECT_EQ(census.events, 60'000);
  EXPECT_GT(census.frauds, 60'000 * 0.06);
  EXPECT_LT(census.frauds, 60'000 * 0.08);
  EXPECT_GT(census.missing, 1000);
  const Millis start = *parse_time("2024-01-01");
  EXPECT_NEAR(static_cast<double>(census.last() - start), 60.0 * kDay, 5.0 * kDay);
}

TEST(DemoSource, SameSpecGivesTheSameStreamHoweverItIsRead) {
  const DemoSpec spec = {3, 500};
  const auto whole = read_all(*demo_source(spec, demo_schema(), std::nullopt), 1);
  EXPECT_EQ(read_all(*demo_source(spec, demo_schema(), std::nullopt), 64), whole);
  EXPECT_NE(read_all(*demo_source({4, 500}, demo_schema(), std::nullopt)), whole);
  for (const std::size_t stop : {1UL, 250UL, whole.size()}) {
    const auto first = demo_source(spec, demo_schema(), std::nullopt);
    auto records = read_some(*first, stop);
    const auto second = demo_source(spec, demo_schema(), first->progress()[0]);
    for (const std::string& record : read_all(*second)) records.push_back(record);
    EXPECT_EQ(records, whole) << "stopped after " << stop;
  }
}

TEST(DemoSource, OtherSpecDoesNotGoOn) {
  const auto first = demo_source({1, 100}, demo_schema(), std::nullopt);
  read_some(*first, 10);
  EXPECT_THAT(error_of(ErrorKind::conflict,
                       [&] {
                         demo_source({1, 200}, demo_schema(), first->progress()[0]);
                       }),
              HasSubstr("demo:1:100"));
}

TEST(DemoSource, FieldItDoesNotHaveIsRefusedWithTheNearest) {
  Schema schema = demo_schema();
  schema.fields[0].name = "amuont";
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { demo_source({}, schema, std::nullopt); }),
              AllOf(HasSubstr("`amuont`"), HasSubstr("nearest: `amount`")));
  schema = demo_schema();
  schema.fields[0].kind = FieldKind::text;
  EXPECT_THAT(error_of(ErrorKind::invalid, [&] { demo_source({}, schema, std::nullopt); }),
              AllOf(HasSubstr("`amount`"), HasSubstr("expected number")));
}

}  // namespace
}  // namespace freshet
