#include "stream/feature_set.h"

#include <gtest/gtest.h>

#include <cmath>

#include "stream/error.h"

namespace freshet {
namespace {

Schema schema_of() {
  Schema schema;
  schema.fields = {{"amount", FieldKind::number, MissingRule::mean, ""},
                   {"fixed", FieldKind::number, MissingRule::reject, ""},
                   {"kind", FieldKind::category, MissingRule::mean, ""},
                   {"online", FieldKind::boolean, MissingRule::constant, "false"}};
  return schema;
}

FeatureSpec spec_of(const std::string& from, Encoding encoding) {
  FeatureSpec spec;
  spec.name = from;
  spec.from = from;
  spec.encoding = encoding;
  return spec;
}

Event event_of(double amount, std::string_view kind) {
  Event event;
  event.time = 6 * kHour;
  event.values.resize(4);
  if (!std::isnan(amount)) event.values[0] = {amount, {}, false};
  event.values[1] = {7, {}, false};
  if (!kind.empty()) event.values[2] = {0, kind, false};
  event.values[3] = {1, {}, false};
  return event;
}

std::vector<float> ask(const FeatureSet& set, const Event& event) {
  std::vector<float> vector(set.width());
  set.ask(event, vector);
  return vector;
}

TEST(FeatureSet, DenseSlotsComeFirstAndMissingNumbersHaveAnIndicator) {
  const FeatureSet set(schema_of(), {});
  ASSERT_EQ(set.width(), 5U);
  EXPECT_EQ(set.layout()[0].name, "amount");
  EXPECT_TRUE(set.layout()[0].scaled);
  EXPECT_EQ(set.layout()[1].name, "amount missing");
  EXPECT_TRUE(set.layout().back().embedding);
  const auto present = ask(set, event_of(12.5, "a"));
  EXPECT_EQ(present[0], 12.5F);
  EXPECT_EQ(present[1], 0.0F);
  const auto missing = ask(set, event_of(std::nan(""), "a"));
  EXPECT_TRUE(std::isnan(missing[0]));
  EXPECT_EQ(missing[1], 1.0F);
  EXPECT_EQ(missing[2], 7.0F);
}

TEST(FeatureSet, ANumberThatNoFloatHoldsStaysFinite) {
  const FeatureSet set(schema_of(), {});
  const float high = ask(set, event_of(1e300, "a"))[0];
  const float low = ask(set, event_of(-1e300, "a"))[0];
  EXPECT_GT(high, 1e38F);
  EXPECT_EQ(low, -high);
  EXPECT_TRUE(std::isfinite(high - low));
}

TEST(FeatureSet, CategoriesHashStablyAndAMissingOneIsAValueOfItsOwn) {
  const FeatureSet set(schema_of(), {});
  const float bucket = ask(set, event_of(1, "grocery")).back();
  EXPECT_EQ(ask(set, event_of(2, "grocery")).back(), bucket);
  EXPECT_LT(bucket, 256.0F);
  EXPECT_EQ(bucket, std::floor(bucket));
  EXPECT_EQ(ask(set, event_of(1, "")).back(), ask(set, event_of(9, "")).back());
}

TEST(FeatureSet, OneHotHasAPlaceForUnknownValues) {
  FeatureSpec spec = spec_of("kind", Encoding::one_hot);
  spec.values = {"a", "b"};
  const FeatureSet set(schema_of(), {spec});
  EXPECT_EQ(ask(set, event_of(1, "b")), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(ask(set, event_of(1, "z")), (std::vector<float>{0, 0, 1}));
}

TEST(FeatureSet, TimeOfDayIsACircle) {
  const FeatureSet set(schema_of(), {spec_of("event.time", Encoding::time_of_day)});
  const auto six = ask(set, event_of(1, "a"));
  EXPECT_NEAR(static_cast<double>(six[0]), 1, 1e-6);
  EXPECT_NEAR(static_cast<double>(six[1]), 0, 1e-6);
}

TEST(FeatureSet, IdentityLeavesNamesOutAndMeaningIn) {
  FeatureSpec a = spec_of("amount", Encoding::number);
  FeatureSpec renamed = a;
  renamed.name = "other";
  FeatureSpec scaled = a;
  scaled.scale = true;
  EXPECT_EQ(FeatureSet(schema_of(), {a}).identity(), FeatureSet(schema_of(), {renamed}).identity());
  EXPECT_NE(FeatureSet(schema_of(), {a}).identity(), FeatureSet(schema_of(), {scaled}).identity());
  Schema other = schema_of();
  other.fields[0].missing = MissingRule::reject;
  EXPECT_NE(FeatureSet(schema_of(), {a}).identity(), FeatureSet(other, {a}).identity());
}

TEST(FeatureSet, WhatDoesNotFitIsRefusedByName) {
  const auto refused = [](const FeatureSpec& spec) {
    try {
      const FeatureSet set(schema_of(), {spec});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refused(spec_of("amonut", Encoding::number)).find("amonut"), std::string::npos);
  EXPECT_NE(refused(spec_of("kind", Encoding::number)).find("does not fit"), std::string::npos);
  EXPECT_NE(refused(spec_of("kind", Encoding::embedding)).find("buckets"), std::string::npos);
}

}  // namespace
}  // namespace freshet
