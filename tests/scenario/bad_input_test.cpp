// Input as it comes: one record of each kind of fault costs a dead letter with its line, a stream
// that teaches nothing ends without a champion, and a wrong file is refused before anything is.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scenario/program.h"
#include "stream/event_time.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kGood = 200;

/// A pipeline whose events carry their time and their label.
std::string timed_config() {
  std::string text = turning_config();
  const auto put = [&](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  put(R"({"every": "30s", "from": "2024-01-01T00:00:00Z"})", R"({"field": "t"})");
  put(R"({"after": "1h"})", R"("with_event")");
  return text;
}

std::string line_of(std::size_t i, const std::string& x, const std::string& y,
                    const std::string& kind, const std::string& label) {
  constexpr Millis kFrom = 1'704'067'200'000;  // 2024-01-01
  return fmt::format(R"({{"t": "{}", "x": {}, "y": {}, "kind": "{}", "label": {}}})",
                     format_time(kFrom + static_cast<Millis>(i) * kMinute), x, y, kind, label) +
         "\n";
}

std::string good_line(std::size_t i) {
  return line_of(i, fmt::format("{:.2f}", static_cast<double>(i % 7) / 7), "1", "a",
                 i * 7919 % 3 == 0 ? "1" : "0");
}

std::string good_lines(std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i) text += good_line(i);
  return text;
}

class BadInput : public ::testing::Test {
 protected:
  Outcome run(const std::string& input, const std::string& name = "in.jsonl",
              const std::string& options = "--json") {
    const std::string config = scratch_.write("config.json", timed_config());
    workspace_ = scratch_.path(fmt::format("w{}", ++runs_));
    return freshet_program(fmt::format("run {} -w {} {} -i {}", config, workspace_, options,
                                       scratch_.write(name, input)),
                           "timeout 60");
  }

  ScratchFolder scratch_;
  std::string workspace_;
  int runs_ = 0;
};

struct Fault {
  std::string line;
  std::string reason;
};

TEST_F(BadInput, EachFaultIsADeadLetterWithItsLineAndTheRestGoesOn) {
  const std::string time = R"({"t": "2024-01-01T03:20:00Z", )";
  const std::vector<Fault> faults = {
      {R"({"t": "2024-)", "not a JSON object"},
      {"[1, 2]", "expected one JSON object a line"},
      {time + R"("x": "one", "y": 1, "kind": "a", "label": 1})", "field `x`: found the text"},
      {time + R"("x": [1], "y": 1, "kind": "a", "label": 1})", "field `x`"},
      {time + R"("x": NaN, "y": 1, "kind": "a", "label": 1})", "field `x`: found \"NaN\""},
      {time + R"("x": -Infinity, "y": 1, "kind": "a", "label": 1})", "field `x`"},
      {time + R"("x": 1e999, "y": 1, "kind": "a", "label": 1})", "no finite number"},
      {time + "\"x\": 1, \"y\": 1, \"kind\": \"\xC3\x28\", \"label\": 1}", "invalid UTF-8"},
      {time + R"("x": 1, "y": 1, "kind": ")" + std::string(10'000'000, 'a') + R"(", "label": 1})",
       "more than 1 MiB"},
      {R"({"x": 1, "y": 1, "kind": "a", "label": 1})", "field `t`: the time is missing"},
      {R"({"t": "soon", "x": 1, "y": 1, "kind": "a", "label": 1})", "field `t`"},
      {R"({"t": "9024-01-01T00:00:00Z", "x": 1, "y": 1, "kind": "a", "label": 1})", "ahead of"},
      {time + R"("x": 1, "y": 1, "kind": "a", "label": 2})", "expected 0, 1, false or true"}};
  std::string text = good_lines(0, kGood);
  for (const Fault& fault : faults) text += fault.line + "\n";
  text += good_lines(kGood, 2 * kGood);
  const Outcome outcome = run(text);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["events"]["accepted"], 2 * kGood);
  EXPECT_EQ(outcome.json()["events"]["dead_letters"], faults.size());
  const Outcome letters =
      freshet_program(fmt::format("events dead-letters --json -n 50 -w {}", workspace_));
  std::vector<std::string> lines;
  std::istringstream in(letters.out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), faults.size());
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const auto letter = nlohmann::json::parse(lines[faults.size() - 1 - i]);  // newest first
    EXPECT_EQ(letter["line"], kGood + 1 + i);
    EXPECT_THAT(letter["reason"].get<std::string>(), HasSubstr(faults[i].reason));
    EXPECT_LE(letter["raw"].get<std::string>().size(), 4096U * 3);
  }
}

TEST_F(BadInput, AnInputThatIsMostlyBadStopsTheRunAndKeepsWhatWasGood) {
  const Outcome outcome = run(good_lines(0, kGood) + [] {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "nonsense\n";
    return text;
  }());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("stream.max_bad_share"));
  EXPECT_THAT(outcome.err, HasSubstr("freshet events dead-letters"));
  EXPECT_THAT(freshet_program("events stats -w " + workspace_).out, HasSubstr("200 accepted"));
}

TEST_F(BadInput, FilesWithoutRecordsSaySo) {
  const Outcome empty = run("");
  EXPECT_EQ(empty.code, 0) << empty.err;
  EXPECT_THAT(empty.err, HasSubstr("it holds no records"));
  const Outcome no_header = run("", "in.csv");
  EXPECT_EQ(no_header.code, 1);
  EXPECT_THAT(no_header.err, HasSubstr("expected a header line"));
  const Outcome only_header = run("t,x,y,kind,label\n", "in.csv");
  EXPECT_EQ(only_header.code, 0);
  EXPECT_THAT(only_header.err, HasSubstr("it holds no records"));
  const Outcome short_header = run("t,x,why,kind,label\n", "in.csv");
  EXPECT_EQ(short_header.code, 1);
  EXPECT_THAT(short_header.err, HasSubstr("has no column `y`"));
  EXPECT_THAT(short_header.err, HasSubstr("nearest"));
  const Outcome bad_only = run("nonsense\n");
  EXPECT_EQ(bad_only.code, 0);
  EXPECT_THAT(bad_only.err, Not(HasSubstr("nothing new")));
}

TEST_F(BadInput, TimeThatRunsBackwardsIsCountedAsLateAndSaidSo) {
  std::string text;
  for (std::size_t i = 2000; i-- > 0;) text += good_line(i);
  const Outcome outcome = run(text, "in.jsonl", "");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("late"));
  EXPECT_THAT(outcome.out, HasSubstr("stream.out_of_orderness"));
  const Outcome late = freshet_program("events dead-letters --late -n 1 -w " + workspace_);
  EXPECT_THAT(late.out, HasSubstr("behind the watermark"));
}

TEST_F(BadInput, WithoutLabelsTheSummarySaysThatNoneCame) {
  std::string text;
  for (std::size_t i = 0; i < 100; ++i) {
    std::string line = good_line(i);
    text += line.replace(line.find(", \"label\""), std::string::npos, "}\n");
  }
  const Outcome outcome = run(text, "in.jsonl", "");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("so far 0 rows"));
  EXPECT_THAT(outcome.out, HasSubstr("100 whose label never came"));
}

TEST_F(BadInput, AStreamOfOneClassHasNoChampion) {
  std::string text;
  for (std::size_t i = 0; i < 6000; ++i) text += line_of(i, std::to_string(i % 7), "1", "a", "0");
  const Outcome outcome = run(text);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["rows"], 6000);
  EXPECT_TRUE(outcome.json()["champion"].is_null());
}

// 1e300 is a number, but no float: it was infinite as a feature, and its answers' rank figures
// were never done.
TEST_F(BadInput, ConstantAndHugeFeaturesAndNewCategoriesDoNoHarm) {
  std::string text;
  for (std::size_t i = 0; i < 6000; ++i) {
    const bool first = i % 2 == 0;
    text += line_of(i, first ? "1" : "0", i % 5 == 0 ? "-1e300" : "1e300", fmt::format("new{}", i),
                    first ? "1" : "0");
  }
  const Outcome outcome = run(text);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_FALSE(outcome.json()["champion"].is_null());
  EXPECT_GT(outcome.json()["live"]["metrics"]["accuracy"].get<double>(), 0.95);
}

// One label that no float holds stopped every learner for good.
TEST_F(BadInput, ALabelOutOfRangeIsADeadLetterAndLearnersGoOn) {
  std::string config = timed_config();
  config.replace(config.find("\"binary\""), 8, "\"regression\"");
  std::string text;
  for (std::size_t i = 0; i < 4000; ++i) {
    const std::string x = std::to_string(i % 7);
    text += line_of(i, x, "1", "a", i == 3000 ? "1e300" : x);
  }
  workspace_ = scratch_.path("regression");
  const Outcome outcome = freshet_program(
      fmt::format("run {} -w {} --json -i {}", scratch_.write("regression.json", config),
                  workspace_, scratch_.write("regression.jsonl", text)),
      "timeout 60");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["events"]["dead_letters"], 1);
  EXPECT_EQ(outcome.err.find("learner_stopped"), std::string::npos) << outcome.err;
  EXPECT_THAT(freshet_program("events dead-letters -w " + workspace_).out,
              HasSubstr("expected a number within"));
}

TEST_F(BadInput, AConfigWithMistakesNamesEachPlaceAndTheNearestKey) {
  std::string text = timed_config();
  text.replace(text.find("\"learners\""), 10, "\"lerners\"");
  const std::string config = scratch_.write("mistaken.json", text);
  const Outcome outcome = freshet_program(
      fmt::format("run {} -w {} -i {}", config, scratch_.path("never"), scratch_.write("i", "")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("mistaken.json:8:3"));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean `learners`?"));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("never")));
}

}  // namespace
}  // namespace freshet
