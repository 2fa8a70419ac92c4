#include "stream/label_join.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "stream/error.h"
#include "stream/random.h"

namespace freshet {
namespace {

Schema schema_of(LabelKnown known) {
  Schema schema;
  schema.label.known = known;
  schema.label.after = 10 * kMinute;
  schema.label.wait = known == LabelKnown::later ? kHour : 0;
  return schema;
}

Event event_of(std::string_view id, Millis time, std::optional<double> label = std::nullopt) {
  Event event;
  event.id = id;
  event.time = time;
  event.label = label;
  return event;
}

Event label_of(std::string_view id, double label) {
  Event event = event_of(id, 0, label);
  event.kind = RecordKind::label;
  return event;
}

TEST(LabelJoin, ALabelWithTheEventIsKnownAtOnce) {
  LabelJoin join(schema_of(LabelKnown::with_event));
  const auto known = join.ask(event_of("a", 0, 1.0));
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->question, 0U);
  EXPECT_EQ(known->label, 1.0);
  EXPECT_FALSE(join.ask(event_of("b", 0)).has_value());
  EXPECT_EQ(join.counts().given_up, 1U);
  EXPECT_EQ(join.open(), 0U);
}

TEST(LabelJoin, LabelsFallDueByTimeThenQuestion) {
  LabelJoin join(schema_of(LabelKnown::after));
  join.ask(event_of("a", 5 * kMinute, 1.0));
  join.ask(event_of("b", 3 * kMinute, 0.0));  // out of order
  join.ask(event_of("c", 5 * kMinute, 1.0));
  join.advance(15 * kMinute);
  std::vector<std::uint64_t> order;
  while (const auto due = join.next_due()) order.push_back(due->question);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 0, 2}));
}

TEST(LabelJoin, AnOpenQuestionThatIsGivenUpTakesNoLabel) {
  Schema schema = schema_of(LabelKnown::later);
  schema.label.default_label = 0;
  LabelJoin join(schema);
  join.ask(event_of("a", kMinute));
  join.ask(event_of("b", 0));  // out of order
  join.ask(event_of("c", 2 * kMinute));
  for (const std::uint64_t question : {0U, 1U, 1U, 9U}) join.give_up(question);
  EXPECT_EQ(join.open(), 1U);
  EXPECT_EQ(join.settled(), 2U);
  EXPECT_EQ(join.counts().given_up, 2U);
  EXPECT_FALSE(join.label(label_of("a", 1)).has_value());
  join.advance(2 * kHour);
  EXPECT_EQ(join.next_due()->question, 2U);
  EXPECT_FALSE(join.next_due().has_value());
  EXPECT_EQ(join.counts().unknown_ids, 1U);
}

TEST(LabelJoin, ALaterLabelIsKnownAtItsRecordAndADefaultAfterTheWait) {
  Schema schema = schema_of(LabelKnown::later);
  schema.label.default_label = 0.0;
  LabelJoin join(schema);
  join.ask(event_of("a", 0));
  join.ask(event_of("b", kMinute));
  const auto known = join.label(label_of("b", 1));
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->question, 1U);
  EXPECT_EQ(join.settled(), 0U) << "question 0 is still open";
  EXPECT_FALSE(join.next_settled().has_value());
  join.advance(kHour);
  const auto due = join.next_due();
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->question, 0U);
  EXPECT_EQ(due->label, 0.0);
  EXPECT_EQ(join.counts().defaults, 1U);
  EXPECT_EQ(join.next_settled()->label, 0.0);
  EXPECT_EQ(join.next_settled()->label, 1.0);
  EXPECT_EQ(join.settled(), 2U);
}

TEST(LabelJoin, WithoutADefaultAQuestionIsGivenUpAndSettlesUncounted) {
  LabelJoin join(schema_of(LabelKnown::later));
  join.ask(event_of("a", 0));
  join.advance(2 * kHour);
  EXPECT_FALSE(join.next_due().has_value());
  EXPECT_EQ(join.counts().given_up, 1U);
  const auto settled = join.next_settled();
  ASSERT_TRUE(settled.has_value());
  EXPECT_FALSE(settled->label.has_value());
}

TEST(LabelJoin, TheFirstLabelWinsAndConflictsAreCounted) {
  LabelJoin join(schema_of(LabelKnown::later));
  join.ask(event_of("a", 0));
  EXPECT_TRUE(join.label(label_of("a", 1)).has_value());
  EXPECT_FALSE(join.label(label_of("a", 0)).has_value());
  EXPECT_FALSE(join.label(label_of("a", 1)).has_value());
  EXPECT_EQ(join.counts().conflicts, 1U);
  EXPECT_EQ(join.counts().repeated, 1U);
}

TEST(LabelJoin, ALabelBeforeItsEventWaitsForIt) {
  LabelJoin join(schema_of(LabelKnown::later));
  join.advance(0);
  Event early = label_of("a", 1);
  early.time = 0;
  EXPECT_FALSE(join.label(early).has_value());
  const auto known = join.ask(event_of("a", kMinute));
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->label, 1.0);
  Event lost = label_of("never", 1);
  join.label(lost);
  join.advance(3 * kHour);
  EXPECT_EQ(join.counts().unknown_ids, 1U);
}

TEST(LabelJoin, PastTheMostOpenQuestionsItRefuses) {
  Schema schema = schema_of(LabelKnown::later);
  schema.max_open_questions = 2;
  LabelJoin join(schema);
  join.ask(event_of("a", 0));
  join.ask(event_of("b", 0));
  EXPECT_THROW(join.ask(event_of("c", 0)), Error);
}

TEST(LabelJoin, ClosingReleasesAllThatCanBecomeKnown) {
  LabelJoin join(schema_of(LabelKnown::after));
  join.ask(event_of("a", 0, 1.0));
  join.close();
  EXPECT_TRUE(join.next_due().has_value());
  EXPECT_EQ(join.settled(), 1U);
}

/// What comes out of a join, as text.
class Transcript {
 public:
  explicit Transcript(LabelJoin& join) : join_(&join) {}

  void drain() {
    while (const auto due = join_->next_due()) note("due", *due);
    while (const auto settled = join_->next_settled()) {
      text_ += "settled " + std::to_string(settled->question) +
               (settled->label ? " " + std::to_string(*settled->label) : " given up") + "\n";
    }
  }
  void note(const std::string& what, const std::optional<KnownLabel>& known) {
    if (known) {
      text_ +=
          what + " " + std::to_string(known->question) + " " + std::to_string(known->label) + "\n";
    }
  }
  void follow(LabelJoin& join) { join_ = &join; }
  const std::string& text() const { return text_; }

 private:
  LabelJoin* join_;
  std::string text_;
};

/// A random stream through a join; saved and loaded after `restart` records (0: never).
std::string random_stream(LabelKnown known, std::uint64_t seed, int restart) {
  Schema schema = schema_of(known);
  schema.label.default_label = 0.0;
  auto join = std::make_unique<LabelJoin>(schema);
  Transcript transcript(*join);
  KeyedGenerator generator(seed);
  Millis newest = 0;
  for (int i = 1; i <= 3000; ++i) {
    const std::uint64_t kind = generator.below(10);
    const Millis time = newest + static_cast<Millis>(generator.below(120)) * kSecond -
                        (kind == 0 ? 2 * kMinute : 0);
    newest = std::max(newest, time);
    join->advance(newest - kMinute);
    transcript.drain();
    if (known == LabelKnown::later && kind > 6) {
      const std::string id = std::to_string(generator.below(static_cast<std::uint64_t>(i) + 20));
      Event label = label_of(id, static_cast<double>(generator.below(2)));
      label.time = time;
      transcript.note("label", join->label(label));
    } else {
      const std::string id = std::to_string(i);
      Event event = event_of(id, time);
      if (known != LabelKnown::later && kind != 1) event.label = 1.0;
      event.label_time = time + static_cast<Millis>(generator.below(30)) * kMinute;
      transcript.note("ask", join->ask(event));
    }
    if (i == restart) {
      Encoder to;
      join->save(to);
      Decoder from(to.bytes());
      join = std::make_unique<LabelJoin>(schema);
      join->load(from);
      EXPECT_TRUE(from.at_end());
      transcript.follow(*join);
    }
  }
  join->close();
  transcript.drain();
  return transcript.text();
}

TEST(LabelJoin, SavedAnywhereItGoesOnTheSame) {
  for (const LabelKnown known :
       {LabelKnown::with_event, LabelKnown::later, LabelKnown::after, LabelKnown::at}) {
    const std::string whole = random_stream(known, 1, 0);
    EXPECT_GT(whole.size(), 10'000U);
    for (const int restart : {1, 100, 1777}) EXPECT_EQ(random_stream(known, 1, restart), whole);
  }
}

TEST(LabelJoin, EveryQuestionSettlesOnceInAskedOrder) {
  for (const LabelKnown known : {LabelKnown::later, LabelKnown::after, LabelKnown::at}) {
    const std::string text = random_stream(known, 2, 0);
    std::uint64_t next = 0;
    for (std::size_t at = text.find("settled "); at != std::string::npos;
         at = text.find("settled ", at + 1)) {
      EXPECT_EQ(std::stoull(text.substr(at + 8)), next++);
    }
    EXPECT_GT(next, 1500U);
  }
}

}  // namespace
}  // namespace freshet
