#include "evaluator/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "stream/random.h"

namespace freshet {
namespace {

double value(const Metrics& metrics, const std::string& name) {
  for (const Metric& metric : metrics.values()) {
    if (metric.name == name) return metric.value;
  }
  return std::nan("");
}

void add(Metrics& metrics, float answer, double label) {
  metrics.add(std::array<float, 1>{answer}, label);
}

TEST(Metrics, BinaryFiguresAreTheTextbooks) {
  Metrics metrics(Task::binary, 1, 0.01);
  add(metrics, 0.9F, 1);
  add(metrics, 0.6F, 0);
  add(metrics, 0.4F, 1);
  add(metrics, 0.1F, 0);
  EXPECT_NEAR(value(metrics, "log_loss"), -(2 * std::log(0.9) + 2 * std::log(0.4)) / 4, 1e-6);
  EXPECT_NEAR(value(metrics, "brier"), (0.01 + 0.36 + 0.36 + 0.01) / 4, 1e-6);
  EXPECT_DOUBLE_EQ(value(metrics, "accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(value(metrics, "f1"), 0.5);
  EXPECT_DOUBLE_EQ(value(metrics, "kappa"), 0);
  EXPECT_DOUBLE_EQ(value(metrics, "auc"), 0.75);
  EXPECT_NEAR(value(metrics, "pr_auc"), (1.0 + 2.0 / 3) / 2, 1e-12);
}

TEST(Metrics, AucCountsTiesHalf) {
  Metrics metrics(Task::binary, 1, 0.01);
  for (int i = 0; i < 10; ++i) add(metrics, 0.5F, i % 2);
  EXPECT_DOUBLE_EQ(value(metrics, "auc"), 0.5);
}

TEST(Metrics, AucAcrossRunsIsThatOfAllPairs) {
  Metrics metrics(Task::binary, 1, 0.01);
  KeyedGenerator generator(5);
  std::vector<std::pair<float, double>> rows;
  for (int i = 0; i < 3000; ++i) {
    const double label = generator.uniform() < 0.3 ? 1 : 0;
    const auto score =
        static_cast<float>(generator.below(50)) / 50.0F + 0.1F * static_cast<float>(label);
    rows.emplace_back(score, label);
    add(metrics, score, label);
  }
  double right = 0;
  double pairs = 0;
  for (const auto& [score, label] : rows) {
    for (const auto& [other, other_label] : rows) {
      if (label != 1 || other_label != 0) continue;
      pairs += 1;
      right += score > other ? 1 : score == other ? 0.5 : 0;
    }
  }
  EXPECT_NEAR(value(metrics, "auc"), right / pairs, 1e-12);
}

TEST(Metrics, ASingleClassHasNoRankFigures) {
  Metrics metrics(Task::binary, 1, 0.01);
  for (int i = 0; i < 10; ++i) add(metrics, 0.2F, 0);
  EXPECT_TRUE(std::isnan(value(metrics, "auc")));
  EXPECT_DOUBLE_EQ(value(metrics, "accuracy"), 1);
}

TEST(Metrics, RegressionFiguresAreTheTextbooks) {
  Metrics metrics(Task::regression, 1, 0.01);
  add(metrics, 1, 2);
  add(metrics, 4, 2);
  add(metrics, 6, 8);
  EXPECT_DOUBLE_EQ(value(metrics, "mae"), 5.0 / 3);
  EXPECT_DOUBLE_EQ(value(metrics, "rmse"), std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(value(metrics, "r2"), 1 - 9.0 / 24);
}

TEST(Metrics, MulticlassFiguresAreTheTextbooks) {
  Metrics metrics(Task::multiclass, 3, 0.01);
  metrics.add(std::array<float, 3>{0.7F, 0.2F, 0.1F}, 0);
  metrics.add(std::array<float, 3>{0.1F, 0.2F, 0.7F}, 1);
  EXPECT_NEAR(value(metrics, "log_loss"), -(std::log(0.7) + std::log(0.2)) / 2, 1e-6);
  EXPECT_DOUBLE_EQ(value(metrics, "accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(value(metrics, "macro_f1"), 1.0 / 3);
}

TEST(Metrics, SavedAndLoadedTheyGoOnAlike) {
  Metrics a(Task::binary, 1, 0.01);
  KeyedGenerator generator(6);
  const auto feed = [&](Metrics& m, KeyedGenerator g, int n) {
    for (int i = 0; i < n; ++i) {
      add(m, static_cast<float>(g.uniform()), static_cast<double>(g.below(2)));
    }
  };
  feed(a, generator, 1500);
  Encoder to;
  a.save(to);
  Metrics b(Task::binary, 1, 0.01);
  Decoder from(to.bytes());
  b.load(from);
  feed(a, KeyedGenerator(8), 1500);
  feed(b, KeyedGenerator(8), 1500);
  Encoder end_a;
  Encoder end_b;
  a.save(end_a);
  b.save(end_b);
  EXPECT_EQ(end_a.bytes(), end_b.bytes());
}

TEST(Baselines, AnswerWithWhatWasKnown) {
  Baselines baselines(Task::binary, 1, 0.01);
  std::array<float, 1> prior{};
  float no_change = -1;
  baselines.answer(prior, no_change);
  EXPECT_FLOAT_EQ(prior[0], 0.5F);
  for (const double label : {0.0, 0.0, 1.0}) baselines.known(label);
  baselines.answer(prior, no_change);
  EXPECT_FLOAT_EQ(prior[0], 0.4F);
  EXPECT_FLOAT_EQ(no_change, 1.0F);
  baselines.score(prior, no_change, 1);
  EXPECT_DOUBLE_EQ(value(baselines.no_change(), "accuracy"), 1);
  EXPECT_DOUBLE_EQ(value(baselines.prior(), "accuracy"), 0);
}

}  // namespace
}  // namespace freshet
