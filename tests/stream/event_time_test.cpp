#include "stream/event_time.h"

#include <gtest/gtest.h>

#include "stream/random.h"

namespace freshet {
namespace {

TEST(Duration, IsReadWithEachUnit) {
  EXPECT_EQ(parse_duration("0s"), 0);
  EXPECT_EQ(parse_duration("250ms"), 250);
  EXPECT_EQ(parse_duration("10s"), 10'000);
  EXPECT_EQ(parse_duration("30m"), 30 * kMinute);
  EXPECT_EQ(parse_duration("24h"), kDay);
  EXPECT_EQ(parse_duration("7d"), 7 * kDay);
  EXPECT_EQ(parse_duration("2w"), 14 * kDay);
  EXPECT_EQ(parse_duration("5000000000ms"), 5'000'000'000);
  EXPECT_EQ(parse_duration("36525d"), 36525 * kDay);
}

TEST(Duration, IsRefusedWhenItIsNone) {
  for (const char* text :
       {"", "d", "7", "7 d", " 7d", "7d ", "-7d", "+7d", "7.5d", "7D", "7days", "1h30m", "x7d",
        "7xs", "36526d", "99999999999999999999d", "9223372036854775807w", "0x7d"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Duration, IsWrittenInItsShortestExactForm) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(604'800'000), "7d");
  EXPECT_EQ(format_duration(90'000), "90s");
  EXPECT_EQ(format_duration(90'001), "90001ms");
  EXPECT_EQ(format_duration(kHour), "1h");
  EXPECT_EQ(format_duration(90 * kMinute), "90m");
  for (const Millis duration : {Millis{1}, Millis{999}, 59 * kSecond, 61 * kMinute, 25 * kHour}) {
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

TEST(EventTime, IsReadFromTheFormsOfRfc3339) {
  const Millis time = 1'522'540'831'000;
  EXPECT_EQ(parse_time("2018-04-01T00:00:31Z"), time);
  EXPECT_EQ(parse_time("2018-04-01 00:00:31z"), time);
  EXPECT_EQ(parse_time("2018-04-01t02:00:31+02:00"), time);
  EXPECT_EQ(parse_time("2018-03-31T18:30:31-05:30"), time);
  EXPECT_EQ(parse_time("2018-04-01T00:00:31-00:00"), time);
  EXPECT_EQ(parse_time("2018-04-01 02:00:31.250+02:00"), time + 250);
  EXPECT_EQ(parse_time("2018-04-01T00:00:31.2509999Z"), time + 250);
  EXPECT_EQ(parse_time("2018-04-01T00:00:31.5Z"), time + 500);
  EXPECT_EQ(parse_time("1970-01-01"), 0);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59.999Z"), -1);
  EXPECT_EQ(parse_time("2016-12-31T23:59:60Z"), parse_time("2017-01-01T00:00:00Z"));
}

TEST(EventTime, WithoutAnOffsetIsTakenAtTheGivenOne) {
  EXPECT_EQ(parse_time("1970-01-01T02:00:00", 2 * kHour), 0);
  EXPECT_EQ(parse_time("1970-01-01", -5 * kHour), 5 * kHour);
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z", 2 * kHour), 0);
}

TEST(EventTime, KnowsLeapDays) {
  EXPECT_EQ(parse_time("2000-02-29"), 951'782'400'000);
  EXPECT_EQ(parse_time("2024-02-29"), 1'709'164'800'000);
  EXPECT_EQ(*parse_time("2024-03-01") - *parse_time("2024-02-28"), 2 * kDay);
  for (const char* text : {"1900-02-29", "2100-02-29", "2023-02-29", "2024-02-30"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

TEST(EventTime, IsRefusedWhenItIsNone) {
  for (const char* text : {"",
                           "now",
                           "2018",
                           "2018-04",
                           "2018-13-01",
                           "2018-00-01",
                           "2018-04-31",
                           "2018-04-00",
                           "2018-4-1",
                           "18-04-01",
                           "02018-04-01",
                           "2018/04/01",
                           "2018-04-01T",
                           "2018-04-01T24:00:00Z",
                           "2018-04-01T00:60:00Z",
                           "2018-04-01T00:00:61Z",
                           "2018-04-01T00:00",
                           "2018-04-01T00:00:00.Z",
                           "2018-04-01T00:00:00,5Z",
                           "2018-04-01T00:00:00+2",
                           "2018-04-01T00:00:00+0200",
                           "2018-04-01T00:00:00+24:00",
                           "2018-04-01T00:00:00Zx",
                           " 2018-04-01",
                           "2018-04-01 ",
                           "2018-04-01T-0:00:00Z",
                           "2018-04-01T+1:00:00Z",
                           "-018-04-01",
                           "0999-12-31",
                           "1000-01-01T00:00:00+01:00",
                           "9999-12-31T23:59:59-01:00",
                           "1522540831"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

TEST(EventTime, IsReadBackAsItWasWritten) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(1'522'540'831'250), "2018-04-01T00:00:31.250Z");
  EXPECT_EQ(format_time(kEarliestTime), "1000-01-01T00:00:00Z");
  EXPECT_EQ(format_time(kLatestTime), "9999-12-31T23:59:59.999Z");
  KeyedGenerator draws(1);
  for (int i = 0; i < 10'000; ++i) {
    const auto span = static_cast<std::uint64_t>(kLatestTime - kEarliestTime);
    const Millis time = kEarliestTime + static_cast<Millis>(draws.below(span));
    ASSERT_EQ(parse_time(format_time(time)), time) << time;
  }
}

}  // namespace
}  // namespace freshet
