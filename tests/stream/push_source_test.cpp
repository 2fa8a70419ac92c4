#include "stream/push_source.h"

#include <gmock/gmock.h>

#include <thread>

#include "tests/stream/log_folder.h"

namespace freshet {
namespace {

using testing::HasSubstr;

Schema pushed_schema() {
  Schema schema;
  schema.task = Task::binary;
  schema.id_field = "id";
  schema.time.form = TimeField{"at", TimeUnit::rfc3339};
  schema.fields = {{"x", FieldKind::number, MissingRule::mean, ""}};
  schema.label.field = "label";
  schema.label.known = LabelKnown::later;
  return schema;
}

class PushSourceTest : public LogFolderTest {
 protected:
  PushSourceTest() : source_(pushed_schema(), "http") {}

  static std::string event(int i) {
    return R"({"id": "e)" + std::to_string(i) + R"(", "at": "2024-01-01T00:00:0)" +
           std::to_string(i % 10) + R"(Z", "x": 1})";
  }

  Schema schema_ = pushed_schema();
  PushSource source_;
};

TEST_F(PushSourceTest, EachLineHearsWhatBecameOfItOnceItIsDurable) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  auto first = source_.push({event(0) + "\n\n{\n" + event(0), false, true, {}});
  auto second =
      source_.push({R"({"id": "e0", "label": 1, "time": "2024-01-01T01:00:00Z"})", true, true, {}});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(source_.waiting(), 2U);
  EXPECT_EQ(source_.pump(ingest, 100), PollStatus::ready);
  const auto lines = first->get();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].outcome, Outcome::accepted);
  EXPECT_EQ(lines[1].line, 3U);
  EXPECT_EQ(lines[1].outcome, Outcome::dead_letter);
  EXPECT_EQ(lines[2].outcome, Outcome::duplicate);
  EXPECT_THAT(lines[2].reason, HasSubstr("accepted before"));
  EXPECT_EQ(second->get().front().outcome, Outcome::accepted);
  EXPECT_EQ(log->head(), 2U);
  EXPECT_EQ(source_.waiting_bytes(), 0U);
}

TEST_F(PushSourceTest, AServedAnswerIsLoggedWithItsQuestion) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  PushSource::Served served{7, 3, 64, {1.5F, -2.0F}, {0.25F}, 99};
  auto pushed = source_.push({event(0), false, true, {served}});
  source_.pump(ingest, 100);
  EXPECT_EQ(pushed->get().front().outcome, Outcome::accepted);
  Event event;
  std::vector<float> vector(2);
  log->read(0, 1, [&](std::uint64_t, std::string_view record) {
    decode(record, schema_, event);
    EXPECT_TRUE(event.served.has_value());
    copy_floats(event.served->vector, vector);
    return true;
  });
  EXPECT_EQ(event.served->position, 7U);
  EXPECT_EQ(event.served->version, 3U);
  EXPECT_EQ(event.served->row, 64U);
  EXPECT_EQ(event.served->features, 99U);
  EXPECT_EQ(vector, served.vector);
}

TEST_F(PushSourceTest, MoreThanItsBytesMustComeAgain) {
  PushSource small(schema_, "http", {.bytes = 400, .gather = std::chrono::milliseconds(15)});
  const std::string line = event(0);
  EXPECT_TRUE(small.push({line, false, true, {}}));
  EXPECT_FALSE(small.push({line, false, true, {}}));
  const auto log = open();
  Ingest ingest(schema_, *log);
  small.pump(ingest, 100);
  EXPECT_TRUE(small.push({line, false, true, {}}));
}

TEST_F(PushSourceTest, OpenedAgainItWaitsForWhatIsPushed) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  const auto urgent = source_.push({event(0), false, true, {}});
  source_.abandon(std::make_exception_ptr(Error(ErrorKind::unavailable, "full")));
  source_.open();
  source_.wait_at_most(std::chrono::milliseconds(50));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(source_.pump(ingest, 100), PollStatus::idle);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(50));
}

TEST_F(PushSourceTest, WhatWasTakenBeforeCloseIsFinished) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  auto pushed = source_.push({event(0), false, false, {}});
  source_.close();
  EXPECT_THROW(source_.push({event(1), false, true, {}}), Error);
  EXPECT_EQ(source_.pump(ingest, 100), PollStatus::ready);
  EXPECT_EQ(source_.pump(ingest, 100), PollStatus::ended);
  EXPECT_EQ(pushed->get().size(), 1U);
}

TEST_F(PushSourceTest, ARefusedAppendIsTheAnswer) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  auto pushed = source_.push({event(0), false, true, {}});
  {
    const FileSizeLimit full(0);
    EXPECT_THROW(source_.pump(ingest, 100), Error);
  }
  EXPECT_THROW(pushed->get(), Error);
}

TEST_F(PushSourceTest, TooManyBadLinesDoNotEndIt) {
  const auto log = open();
  Ingest ingest(schema_, *log);
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "no\n";
  auto bad = source_.push({lines, false, true, {}});
  EXPECT_EQ(source_.pump(ingest, 1000), PollStatus::ready);
  EXPECT_EQ(bad->get().size(), 300U);
  auto good = source_.push({event(0), false, true, {}});
  source_.pump(ingest, 1000);
  EXPECT_EQ(good->get().front().outcome, Outcome::accepted);
}

}  // namespace
}  // namespace freshet
