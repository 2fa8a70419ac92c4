#include "stream/erasure.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stream/log_folder.h"

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Schema schema() {
  Schema schema;
  schema.id_field = "order";
  schema.label.known = LabelKnown::later;
  schema.fields.resize(2);
  schema.fields[0].name = "name";
  schema.fields[0].kind = FieldKind::text;
  schema.fields[1].name = "age";
  return schema;
}

std::string event(const std::string& id, const std::string& name, double age,
                  std::optional<ServedAnswer> served = std::nullopt) {
  Event event;
  event.id = id;
  event.time = 1000;
  event.values = {{0, name, false}, {age, "", false}};
  event.served = served;
  std::string record;
  encode(event, schema(), record);
  return record;
}

std::string label(const std::string& id) {
  Event event;
  event.kind = RecordKind::label;
  event.id = id;
  event.time = 2000;
  event.label = 1;
  std::string record;
  encode(event, schema(), record);
  return record;
}

class ErasureTest : public LogFolderTest {
 protected:
  Event stored(const EventLog& log, std::uint64_t position) {
    batch_ = log.batch(position);
    Event event;
    decode(batch_->record(position), schema(), event);
    return event;
  }
  static void erase(EventLog& log, const std::string& key) {
    const Erasure erasure =
        find_erasure(log, schema(), parse_erasure_key(key, schema()), log.head());
    log.rewrite(log_rewrite(log, schema(), erasure, ones));
    EXPECT_TRUE(log.empty_write_ahead());
  }
  static void ones(const Event&, std::uint64_t, std::span<float> out) {
    std::fill(out.begin(), out.end(), 1.0F);
  }

 private:
  std::shared_ptr<const RecordBatch> batch_;
};

TEST_F(ErasureTest, ARecordKeepsPlaceTimeAndLabelAndShareOfAnId) {
  const auto log = open();
  const std::vector<float> vector{5, 6};
  ServedAnswer served;
  served.vector = float_bytes(vector);
  served.answer = float_bytes(vector);
  LogBatch batch;
  batch.records = {event("a", "Ann", 30), label("b"), event("b", "Bob", 40, served),
                   event("c", "Ann", 50)};
  log->append(batch);
  batch.records = {label("a"), label("b")};
  log->append(batch);
  erase(*log, "age=40");
  EXPECT_EQ(stored(*log, 0).id, "a");
  EXPECT_EQ(stored(*log, 4).id, "a");
  EXPECT_EQ(stored(*log, 1).id, "erased:1");
  EXPECT_EQ(stored(*log, 5).id, "erased:1");
  EXPECT_EQ(stored(*log, 5).label, 1);
  const Event erased = stored(*log, 2);
  EXPECT_EQ(erased.id, "erased:1");
  EXPECT_EQ(erased.time, 1000);
  EXPECT_TRUE(erased.values[0].missing && erased.values[1].missing);
  std::vector<float> now(2);
  copy_floats(erased.served->vector, now);
  EXPECT_THAT(now, ElementsAre(1, 1));
  copy_floats(erased.served->answer, now);
  EXPECT_THAT(now, ElementsAre(5, 6));
  EXPECT_THAT(log->verify(), testing::IsEmpty());
}

TEST_F(ErasureTest, DoingItAgainChangesNothingAndReopensWhole) {
  std::string once;
  {
    const auto log = open();
    LogBatch batch;
    batch.records = {event("a", "Ann", 30), event("b", "Bob", 40), label("b")};
    log->append(batch);
    const Erasure erasure =
        find_erasure(*log, schema(), parse_erasure_key("id=b", schema()), log->head());
    EXPECT_THAT(erasure.records, ElementsAre(ElementsAre(1, 2)));
    log->rewrite(log_rewrite(*log, schema(), erasure, ones));
    once = log->content_hash();
    std::size_t seen = log->seen_ids();
    EXPECT_EQ(seen, 2U) << "of the records before the last that was erased, each once";
    log->rewrite(log_rewrite(*log, schema(), erasure, ones));
    EXPECT_EQ(log->seen_ids(), seen);
  }
  EXPECT_EQ(open()->content_hash(), once);
  EXPECT_EQ(file_bytes(path()).find("Bob"), std::string::npos);
  EXPECT_NE(file_bytes(path()).find("Ann"), std::string::npos);
}

TEST_F(ErasureTest, WhatWasRefusedIsComparedAsAnEventIs) {
  const auto log = open();
  LogBatch batch;
  batch.records = {event("a", "Ann", 30), event("b", "7", 40)};
  batch.dead_letters = {
      {"in", 1, R"({"order":"c","name":"Ann","age":"old"})", "age is `old`", 0},  // named
      {"in", 2, R"({"order":"d","name":"7","age":"Ann"})", "age is `Ann`", 0},    // another
      {"in", 3, R"({"order":"a","name":4)", "half of one with the id", 0},
      {"in", 4, "ca,Anne,7", "no JSON", 0}};
  batch.late = {{"in", 5, R"({"order":"c","name":"Bob","age":1})", "the id of letter 1", 0},
                {"in", 6, "x,Ann,30", "some word", 0},
                {"in", 7, R"({"order":"x","name":"Bob","age":1})", "another", 0}};
  log->append(batch);
  const auto find = [&](const std::string& key) {
    return find_erasure(*log, schema(), parse_erasure_key(key, schema()), log->head());
  };
  EXPECT_THAT(find("name=Ann").records, ElementsAre(ElementsAre(0)));
  EXPECT_THAT(find("name=Ann").dead_letters, ElementsAre(1, 3));
  EXPECT_THAT(find("name=Ann").late_events, ElementsAre(1, 2));
  EXPECT_THAT(find("age=30").dead_letters, ElementsAre(3)) << "a number is no word";
  EXPECT_THAT(find("age=30").late_events, ElementsAre());
  EXPECT_THAT(find("c").late_events, ElementsAre(1));
  EXPECT_THAT(find("7").dead_letters, ElementsAre(4)) << "an id that no event bears";
  erase(*log, "name=Ann");
  const std::vector<DeadLetter> dead = log->dead_letters(10);
  EXPECT_EQ(dead[0].raw, "ca,Anne,7");
  EXPECT_EQ(dead[1].raw, "");
  EXPECT_EQ(dead[2].reason, "age is `Ann`");
  EXPECT_EQ(dead[3].raw + dead[3].reason, "erased");
  EXPECT_EQ(log->late_events(10)[1].raw, "");
}

TEST_F(ErasureTest, WhatWasDroppedIsPassedOver) {
  const auto log = open();
  LogBatch batch;
  for (std::uint64_t i = 0; i < 2 * EventLog::kStretch; ++i) {
    batch.records.push_back(event(std::to_string(i), i % 1000 == 0 ? "Ann" : "Bob", 1));
  }
  log->append(batch);
  const auto find = [&](const EventLog& in) {
    return find_erasure(in, schema(), parse_erasure_key("name=Ann", schema()), log->head());
  };
  const Erasure whole = find(*log);
  log->keep_from(EventLog::kStretch);
  while (log->drop()) {
  }
  const Erasure kept = find(*log);
  EXPECT_EQ(whole.positions().size(), 17U);
  EXPECT_LT(kept.positions().size(), 10U);
  log->rewrite(log_rewrite(*log, schema(), whole, ones));
  EXPECT_TRUE(find(*log).empty());
  EXPECT_EQ(stored(*log, 9000).id, "erased:9000");
  EXPECT_THAT(log->verify(), testing::IsEmpty());
}

TEST_F(ErasureTest, TheWriteAheadFileIsEmptiedOnceNobodyReadsIt) {
  const auto log = open();
  LogBatch batch;
  batch.records = {event("a", "Ann", 30)};
  log->append(batch);
  {
    SQLite::Database reader(path(), SQLite::OPEN_READONLY);
    SQLite::Transaction moment(reader);
    reader.execAndGet("SELECT count(*) FROM batches");
    log->rewrite(log_rewrite(*log, schema(), {{{0}}, {}, {}}, ones));
    EXPECT_FALSE(log->empty_write_ahead());
    EXPECT_NE(file_bytes(path() + "-wal"), "");
  }
  log->drop();
  EXPECT_EQ(file_bytes(path() + "-wal"), "");
  EXPECT_EQ(file_bytes(path()).find("Ann"), std::string::npos);
}

TEST(ErasedEventTest, HoldsTheConstantsOfWhatIsMissing) {
  Schema with = schema();
  with.fields[0].missing = MissingRule::constant;
  with.fields[0].missing_constant = "nobody";
  ErasedEvent erased(with);
  EXPECT_EQ(erased.at(5).time, 5);
  EXPECT_EQ(erased.at(5).values[0].text, "nobody");
  EXPECT_TRUE(erased.at(5).values[1].missing);
}

TEST(ErasureKeyTest, NamesAFieldOrAnIdAndNeverRepeatsItsValue) {
  EXPECT_EQ(parse_erasure_key("name=a=b", schema()).text, "a=b");
  EXPECT_EQ(parse_erasure_key("order=x", schema()).field, std::nullopt);
  EXPECT_EQ(parse_erasure_key("age=3.5", schema()).number, 3.5);
  for (const std::string key : {"nme=secret", "age=secret", "age=9007199254740993", "name=", ""}) {
    try {
      parse_erasure_key(key, schema());
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), key.starts_with("nme") ? ErrorKind::not_found : ErrorKind::invalid);
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("secret")));
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("740993")));
    }
  }
}

}  // namespace
}  // namespace freshet
