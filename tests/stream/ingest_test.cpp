#include "stream/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "stream/sqlite.h"
#include "tests/stream/log_folder.h"
#include "tests/stream/troubled_stream.h"

namespace freshet {
namespace {

class IngestTest : public LogFolderTest {
 protected:
  IngestTest() {
    schema.id_field = "id";
    schema.time.form = TimeField{"t", TimeUnit::milliseconds};
    schema.fields = {{"x", FieldKind::number, MissingRule::mean, ""}};
    schema.label.field = "y";
    schema.label.known = LabelKnown::later;
    schema.out_of_orderness = 10 * kSecond;
    schema.allowed_lateness = 20 * kSecond;
    schema.dedup_within = 10 * kMinute;
    schema.max_time_jump = kDay;
  }

  /// Ingests a whole script into the log at `path()`.
  IngestCounts ingest(const std::vector<Line>& lines, std::size_t chunk = 100) {
    const auto log = open();
    Ingest ingest(schema, *log);
    ScriptSource source(lines);
    while (ingest.pump(source, chunk) == PollStatus::ready) {
    }
    return log->counts();
  }

  /// As `ingest`, with a new process, as it were, for each `chunk` records.
  void ingest_begun_again_each(const std::vector<Line>& lines, std::size_t chunk) {
    for (PollStatus status = PollStatus::ready; status == PollStatus::ready;) {
      const auto log = open();
      Ingest ingest(schema, *log);
      const auto progress = log->progress("script");
      ScriptSource source(lines, progress ? progress->records : 0);
      status = ingest.pump(source, chunk);
    }
  }

  std::vector<Event> logged() {
    texts_.clear();
    const auto log = EventLog::open_reader(path());
    log->read(0, log->head(), [&](std::uint64_t, std::string_view record) {
      texts_.emplace_back(record);
      return true;
    });
    std::vector<Event> events(texts_.size());
    for (std::size_t i = 0; i < events.size(); ++i) decode(texts_[i], schema, events[i]);
    return events;
  }

  std::vector<std::string> logged_ids() {
    std::vector<std::string> ids;
    for (const Event& event : logged()) ids.emplace_back(event.id);
    return ids;
  }

  Schema schema;

 private:
  std::vector<std::string> texts_;
};

TEST_F(IngestTest, CountsExactlyHoweverALongStreamIsCut) {
  const std::vector<Line> lines = troubled_stream(20'000);
  Expected expected(schema);
  for (const Line& line : lines) expected.take(line);
  ASSERT_GT(expected.counts.duplicates, 100U);
  ASSERT_GT(expected.counts.late, 100U);
  ASSERT_GT(expected.counts.dead_letters, 100U);
  std::string hash;
  for (const std::size_t chunk : {149U, 4096U, 20'000U}) {
    std::filesystem::remove(path());
    EXPECT_EQ(ingest(lines, chunk), expected.counts) << chunk;
    EXPECT_EQ(logged_ids(), expected.ids) << chunk;
    const std::string found = open()->content_hash();
    EXPECT_TRUE(hash.empty() || found == hash) << chunk;
    hash = found;
  }
}

TEST_F(IngestTest, CountsExactlyWherePartsAreBehindHoweverItIsCutAndBegunAgain) {
  schema.max_bad_share = 1;
  const std::vector<Line> lines = troubled_stream(20'000, true);
  Expected expected(schema);
  for (const Line& line : lines) expected.take(line);
  ASSERT_GT(expected.counts.duplicates, 100U);
  ASSERT_GT(expected.counts.late, 10U);
  EXPECT_EQ(ingest(lines, 4096), expected.counts);
  EXPECT_EQ(logged_ids(), expected.ids);
  const std::string hash = open()->content_hash();
  std::filesystem::remove(path());
  ingest_begun_again_each(lines, 149);
  EXPECT_EQ(open()->counts(), expected.counts);
  EXPECT_EQ(open()->content_hash(), hash);
}

TEST_F(IngestTest, CountsExactlyInTheSmallestPolls) {
  const std::vector<Line> lines = troubled_stream(300);
  Expected expected(schema);
  for (const Line& line : lines) expected.take(line);
  for (const std::size_t chunk : {1U, 7U}) {
    std::filesystem::remove(path());
    EXPECT_EQ(ingest(lines, chunk), expected.counts) << chunk;
    EXPECT_EQ(logged_ids(), expected.ids) << chunk;
  }
}

TEST_F(IngestTest, GoesOnAfterARestartAsIfThereHadBeenNone) {
  const std::vector<Line> lines = troubled_stream(20'000);
  Expected expected(schema);
  for (const Line& line : lines) expected.take(line);
  ingest_begun_again_each(lines, 719);
  EXPECT_EQ(open()->counts(), expected.counts);
  EXPECT_EQ(logged_ids(), expected.ids);
}

TEST_F(IngestTest, AnEventThatMetDamageInTheLogIsReadAgainOnceThatIsMended) {
  constexpr std::size_t kBefore = 9000;
  std::vector<Line> lines;
  for (std::size_t i = 0; i < kBefore; ++i) {
    lines.push_back(event_at(std::to_string(i), kDay + static_cast<Millis>(i)));
  }
  ingest(lines);
  for (int i = 0; i < 30; ++i) lines.push_back(event_at("new" + std::to_string(i), 2 * kDay));
  const auto change = [&](const std::string& by) {
    SQLite::Database(path(), SQLite::OPEN_READWRITE)
        .exec("UPDATE seen_ids SET max_time = max_time " + by +
              " WHERE end = (SELECT min(end) FROM seen_ids)");
  };
  change("+ 1");
  for (int start = 0; start < 3; ++start) {
    const auto log = open();
    Ingest ingest(schema, *log);
    ScriptSource source(lines, log->progress("script")->records);
    for (int again = 0; again < 2; ++again) {
      error_of(ErrorKind::corrupt, [&] { ingest.pump(source, 10); });
      EXPECT_TRUE(ingest.log_failed());
    }
    EXPECT_EQ(log->progress("script")->records, kBefore);
  }
  change("- 1");
  ingest_begun_again_each(lines, 1000);
  EXPECT_EQ(open()->counts(), (IngestCounts{kBefore + 30, 0, 0, 0}));
}

TEST_F(IngestTest, ForgetsAnIdOnceItIsPastTheHorizon) {
  const Millis within = schema.dedup_within;
  schema.out_of_orderness = kHour;
  ingest({event_at("a", 1000), event_at("b", 1000 + within), event_at("a", 1000),
          event_at("c", 1001 + within), event_at("a", 1001 + within), event_at("a", 5)});
  EXPECT_EQ(logged_ids(), (std::vector<std::string>{"a", "b", "c", "a"}));
  EXPECT_EQ(open()->counts().duplicates, 2U);
}

TEST_F(IngestTest, ALabelIsNeitherADuplicateNorLate) {
  ingest({event_at("a", kDay), label_at("a", 0), label_at("a", kDay), event_at("a", kDay)});
  EXPECT_EQ(open()->counts(), (IngestCounts{3, 1, 0, 0}));
}

TEST_F(IngestTest, KeepsWhatItRefusedWithTheReason) {
  schema.max_bad_share = 1;
  ingest({event_at("a", kDay), event_at("b", 3 * kDay), bad_line(), event_at("c", 0)});
  const auto log = open();
  const auto dead = log->dead_letters(9);
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_EQ(dead[0].reason, "cannot be read");
  EXPECT_EQ(dead[0].line, 3U);
  EXPECT_EQ(dead[0].source, "script");
  EXPECT_NE(dead[1].reason.find("event time 1970-01-04T00:00:00Z is more than 1d ahead"),
            std::string::npos)
      << dead[1].reason;
  ASSERT_EQ(log->late_events(9).size(), 1U);
  EXPECT_EQ(log->late_events(9)[0].raw, "c@0");
  EXPECT_EQ(log->late_events(9)[0].line, 4U);
}

TEST_F(IngestTest, StopsAtMoreThanAHundredTimeJumpsInARow) {
  schema.max_bad_share = 1;
  std::vector<Line> lines = {event_at("first", 0)};
  for (int i = 0; i < 100; ++i) lines.push_back(event_at(std::to_string(i), 3 * kDay));
  EXPECT_EQ(ingest(lines).dead_letters, 100U);

  std::filesystem::remove(path());
  lines.push_back(event_at("100", 3 * kDay));
  const std::string message = error_of(ErrorKind::invalid, [&] { ingest(lines); });
  EXPECT_NE(message.find("line 102"), std::string::npos) << message;
  EXPECT_NE(message.find("stream.max_time_jump"), std::string::npos) << message;
  EXPECT_EQ(open()->counts().dead_letters, 101U) << "stored all the same";
}

TEST_F(IngestTest, StopsWhenTooManyRecordsAreBad) {
  std::vector<Line> lines;
  for (int i = 0; i < 2000; ++i) {
    lines.push_back(i % 10 == 9 ? bad_line() : event_at(std::to_string(i), i));
  }
  EXPECT_EQ(ingest(lines).dead_letters, 200U) << "a tenth is not more than a tenth";

  std::filesystem::remove(path());
  lines.push_back(bad_line());
  const std::string message = error_of(ErrorKind::invalid, [&] { ingest(lines); });
  EXPECT_NE(message.find("101 of the last 1000 records"), std::string::npos) << message;
  EXPECT_NE(message.find("line 2001: cannot be read"), std::string::npos) << message;
  EXPECT_EQ(open()->counts().dead_letters, 201U) << "stored all the same";
}

TEST_F(IngestTest, DoesNotJudgeTheShareOfFewRecords) {
  EXPECT_EQ(ingest(std::vector<Line>(99, bad_line())).dead_letters, 99U);
  error_of(ErrorKind::invalid, [&] { ingest(std::vector<Line>(100, bad_line())); });
}

TEST_F(IngestTest, WithoutIdsTheOrdinalIsTheId) {
  schema.id_field.clear();
  ingest({event_at("", 10), bad_line(), event_at("", 10)});
  ingest({event_at("", 11)});
  EXPECT_EQ(logged_ids(), (std::vector<std::string>{"0", "2", "3"}));
}

TEST_F(IngestTest, WithoutTimesTheOrdinalIsTheTime) {
  schema.time.form = TimeEvery{kMinute, kHour};
  ingest({event_at("a", 0), bad_line(), event_at("b", 0), event_at("b", 0), label_at("a", 0)});
  ingest({event_at("c", 0)});
  std::vector<Millis> minutes;
  for (const Event& event : logged()) minutes.push_back(event.time / kMinute);
  EXPECT_EQ(minutes, (std::vector<Millis>{60, 62, 64, 65}));
}

TEST_F(IngestTest, ATimeThatCannotBeIsADeadLetter) {
  schema.max_bad_share = 1;
  schema.max_time_jump = 36525 * kDay;
  constexpr Millis kMost = std::numeric_limits<Millis>::max();
  ingest({event_at("a", kMost), event_at("b", -kMost), event_at("c", kLatestTime + 1),
          event_at("d", kLatestTime)});
  EXPECT_EQ(logged_ids(), std::vector<std::string>{"d"});
  std::filesystem::remove(path());
  schema.time.form = TimeEvery{kMost / 2, 0};
  EXPECT_EQ(ingest({event_at("a", 0), event_at("b", 0), event_at("c", 0), event_at("d", 0)}),
            (IngestCounts{1, 0, 0, 3}));
}

TEST_F(IngestTest, KeepsWhatCameBeforeTheSourceFailed) {
  const std::vector<Line> lines = {
      event_at("a", 0), event_at("b", 0), {Line::Kind::unreadable, "", 0}, event_at("c", 0)};
  error_of(ErrorKind::unavailable, [&] { ingest(lines); });
  EXPECT_EQ(logged_ids(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(open()->progress("script")->records, 2U);
}

TEST_F(IngestTest, LosesNothingToAFullDisk) {
  std::vector<Line> lines;
  for (int i = 0; i < 5000; ++i)
    lines.push_back(event_at(std::string(200, 'x') + fmt::to_string(i), i));
  const auto log = open();
  Ingest ingest(schema, *log);
  ScriptSource source(lines);
  ingest.pump(source, 100);
  {
    const FileSizeLimit full(300'000);
    error_of(ErrorKind::unavailable, [&] { ingest.pump(source, 4000); });
    error_of(ErrorKind::unavailable, [&] { ingest.pump(source, 4000); });
    EXPECT_EQ(log->head(), 100U);
    EXPECT_EQ(log->progress("script")->records, 100U);
  }
  while (ingest.pump(source, 100) == PollStatus::ready) {
  }
  EXPECT_EQ(log->counts(), (IngestCounts{5000, 0, 0, 0}));
  std::vector<std::string> ids;
  for (const Line& line : lines) ids.push_back(line.id);
  EXPECT_EQ(logged_ids(), ids);
}

TEST_F(IngestTest, AcceptsNothingAfterTheClose) {
  schema.max_bad_share = 1;
  {
    const auto log = open();
    Ingest ingest(schema, *log);
    ScriptSource source({event_at("a", 500)});
    ingest.pump(source, 10);
    ingest.close();
    ingest.close();
  }
  EXPECT_EQ(ingest({event_at("b", 600), label_at("a", 600)}), (IngestCounts{1, 0, 0, 2}));
  const std::vector<Event> events = logged();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].kind, RecordKind::close);
  EXPECT_EQ(events[1].time, 500);
}

TEST_F(IngestTest, StoresProgressOnlyWhenThereIsSome) {
  const auto log = open();
  Ingest ingest(schema, *log);
  ScriptSource source({event_at("a", 500)});
  EXPECT_EQ(ingest.pump(source, 10), PollStatus::ended);
  EXPECT_EQ(log->progress("script"), source.progress().front());
  const auto bytes = std::filesystem::file_size(path() + "-wal");
  EXPECT_EQ(ingest.pump(source, 10), PollStatus::ended);
  EXPECT_EQ(std::filesystem::file_size(path() + "-wal"), bytes);
}

}  // namespace
}  // namespace freshet
