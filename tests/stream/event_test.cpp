#include "stream/event.h"

#include <gtest/gtest.h>

#include <bit>

#include "stream/error.h"
#include "stream/random.h"

namespace freshet {
namespace {

using namespace std::string_view_literals;

Schema schema_of(std::size_t numbers) {
  Schema schema;
  schema.label.known = LabelKnown::at;
  schema.fields = {{"city", FieldKind::category, MissingRule::mean, ""},
                   {"note", FieldKind::text, MissingRule::mean, ""},
                   {"when", FieldKind::time, MissingRule::mean, ""}};
  for (std::size_t i = 0; i < numbers; ++i) {
    schema.fields.push_back({"x" + std::to_string(i), FieldKind::number, MissingRule::mean, ""});
  }
  return schema;
}

Event event_of(const Schema& schema) {
  Event event;
  event.id = "tx\0-1"sv;
  event.time = -5;
  event.label = 0.25;
  event.label_time = 77;
  event.values.resize(schema.fields.size());
  event.values[0] = {0, "Zürich", false};
  event.values[1] = {0, "", false};
  for (std::size_t i = 3; i < event.values.size(); ++i) {
    event.values[i] = {1.0 / static_cast<double>(i), "", i % 3 == 0};
  }
  return event;
}

std::string encoded(const Event& event, const Schema& schema) {
  std::string bytes;
  encode(event, schema, bytes);
  return bytes;
}

bool is_refused(std::string_view bytes, const Schema& schema) {
  Event event;
  try {
    decode(bytes, schema, event);
    return false;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::corrupt;
  }
}

TEST(EventRecord, KeepsHowItWasServed) {
  const Schema schema = schema_of(3);
  Event event = event_of(schema);
  const std::vector<float> vector = {1.5F, -0.25F, 3e38F};
  const std::vector<float> answer = {0.75F};
  event.served = ServedAnswer{1ULL << 40, 12, 34560, float_bytes(vector), float_bytes(answer)};
  const std::string bytes = encoded(event, schema);
  Event read;
  decode(bytes, schema, read);
  ASSERT_TRUE(read.served.has_value());
  EXPECT_EQ(read.served->position, 1ULL << 40);
  EXPECT_EQ(read.served->version, 12U);
  EXPECT_EQ(read.served->row, 34560U);
  std::vector<float> again(3);
  copy_floats(read.served->vector, again);
  EXPECT_EQ(again, vector);
  EXPECT_THROW(copy_floats(read.served->answer, again), Error);
  EXPECT_EQ(encoded(read, schema), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(is_refused(std::string_view(bytes).substr(0, size), schema)) << size;
  }
  event.served->features = 0xFEDCBA9876543210U;
  const std::string keyed = encoded(event, schema);
  EXPECT_EQ(keyed.size(), bytes.size() + 8);
  decode(keyed, schema, read);
  EXPECT_EQ(read.served->features, 0xFEDCBA9876543210U);
  decode(bytes, schema, read);
  EXPECT_EQ(read.served->features, 0U);
  std::string unserved = keyed;
  unserved[1] = 8;
  EXPECT_TRUE(is_refused(unserved, schema));
  event.served.reset();
  decode(encoded(event, schema), schema, read);
  EXPECT_FALSE(read.served.has_value());
}

TEST(EventRecord, KeepsHowFarTimeHasComeWhereAPartIsBehind) {
  const Schema schema = schema_of(3);
  Event event = event_of(schema);
  const std::size_t plain = encoded(event, schema).size();
  event.reached = TimeReached{-70, 99};
  const std::string bytes = encoded(event, schema);
  EXPECT_EQ(bytes.size(), plain + 16);
  Event read;
  decode(bytes, schema, read);
  EXPECT_EQ(read.reached, event.reached);
  EXPECT_EQ(encoded(read, schema), bytes);
  Event marker;
  marker.kind = RecordKind::time;
  marker.time = 258;
  const std::string stood = encoded(marker, schema);
  EXPECT_EQ(stood, "\x04\0\x02\x01\0\0\0\0\0\0\0\0\0\0"sv);
  decode(stood, schema, read);
  EXPECT_EQ(read.kind, RecordKind::time);
  EXPECT_FALSE(read.reached.has_value());
  std::string flagged = stood;
  flagged[1] = 16;
  EXPECT_TRUE(is_refused(flagged + std::string(16, '\0'), schema));
}

TEST(EventRecord, IsReadBackAsItWasWritten) {
  const Schema schema = schema_of(20);
  const Event event = event_of(schema);
  const std::string bytes = encoded(event, schema);
  Event read;
  read.values.resize(99);  // memory of an earlier, other record
  for (FieldValue& value : read.values) value = {3, "old", false};
  decode(bytes, schema, read);
  EXPECT_EQ(read.kind, RecordKind::event);
  EXPECT_EQ(read.id, event.id);
  EXPECT_EQ(read.time, event.time);
  EXPECT_EQ(read.label, event.label);
  EXPECT_EQ(read.label_time, event.label_time);
  ASSERT_EQ(read.values.size(), event.values.size());
  for (std::size_t i = 0; i < read.values.size(); ++i) {
    EXPECT_EQ(read.values[i].missing, event.values[i].missing) << i;
    if (read.values[i].missing) {
      EXPECT_TRUE(std::isnan(read.values[i].number)) << i;
      EXPECT_EQ(read.values[i].text, "") << i;
    } else if (i < 2) {
      EXPECT_EQ(read.values[i].text, event.values[i].text) << i;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint64_t>(read.values[i].number),
                std::bit_cast<std::uint64_t>(event.values[i].number));
    }
  }
}

TEST(EventRecord, StandsAsTheDocumentedBytes) {
  Schema schema;
  schema.fields = {{"x", FieldKind::number, MissingRule::mean, ""},
                   {"c", FieldKind::category, MissingRule::mean, ""},
                   {"z", FieldKind::number, MissingRule::mean, ""}};
  Event event;
  event.id = "ab";
  event.time = 258;
  event.label = 1;
  event.values = {{2, "", false}, {0, "k", false}, {}};
  EXPECT_EQ(encoded(event, schema),
            "\x01\x01\x02\x01\0\0\0\0\0\0\x02\0\0\0"
            "ab\0\0\0\0\0\0\xF0\x3F\x04\0\0\0\0\0\0\0\x40\x01\0\0\0k"sv);
  event.kind = RecordKind::label;
  EXPECT_EQ(encoded(event, schema),
            "\x02\x01\x02\x01\0\0\0\0\0\0\x02\0\0\0"
            "ab\0\0\0\0\0\0\xF0\x3F"sv);
}

TEST(EventRecord, OfAnyOtherLengthIsRefused) {
  const Schema schema = schema_of(5);
  const std::string bytes = encoded(event_of(schema), schema);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(is_refused(std::string_view(bytes).substr(0, size), schema)) << size;
  }
  EXPECT_TRUE(is_refused(bytes + '\0', schema));
  EXPECT_TRUE(is_refused(bytes, schema_of(6)));
}

TEST(EventRecord, OfUnknownKindOrFlagsIsRefused) {
  const Schema schema = schema_of(1);
  std::string bytes = encoded(event_of(schema), schema);
  for (const char kind : {'\0', '\4', '\xFF'}) {
    bytes[0] = kind;
    EXPECT_TRUE(is_refused(bytes, schema));
  }
  bytes[0] = 1;
  bytes[1] = '\x07';
  EXPECT_TRUE(is_refused(bytes, schema));
  Event label;
  label.kind = RecordKind::label;
  label.id = "a";
  EXPECT_TRUE(is_refused(encoded(label, schema), schema)) << "a label record without a label";
}

TEST(EventRecord, DamageNeverReadsBeyondTheBytes) {
  const Schema schema = schema_of(9);
  const std::string bytes = encoded(event_of(schema), schema);
  KeyedGenerator draws(2);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged(bytes);
    damaged[draws.below(damaged.size())] = static_cast<char>(draws.below(256));
    damaged[draws.below(damaged.size())] = static_cast<char>(draws.below(256));
    refused += is_refused(damaged, schema) ? 1 : 0;
  }
  EXPECT_GT(refused, 1000);
}

TEST(Label, IsReadByTheTask) {
  LabelSpec label;
  label.classes = {"red", "1"};
  EXPECT_EQ(parse_label(Task::binary, label, "1"), 1.0);
  EXPECT_EQ(parse_label(Task::binary, label, "false"), 0.0);
  EXPECT_EQ(parse_label(Task::multiclass, label, "1"), 1.0);
  EXPECT_EQ(parse_label(Task::multiclass, label, "red"), 0.0);
  EXPECT_EQ(parse_label(Task::regression, label, "-2.5e3"), -2500.0);
}

TEST(Label, ThatIsNoneIsRefused) {
  LabelSpec label;
  label.classes = {"red"};
  for (const char* text : {"", "2", "0.5", "yes", " 1", "1x", "nan"}) {
    EXPECT_EQ(parse_label(Task::binary, label, text), std::nullopt) << text;
  }
  for (const char* text : {"", "Red", "0", "red "}) {
    EXPECT_EQ(parse_label(Task::multiclass, label, text), std::nullopt) << text;
  }
  for (const char* text : {"", "inf", "nan", "1e999", "-1e39", "1,5", "true"}) {
    EXPECT_EQ(parse_label(Task::regression, label, text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace freshet
