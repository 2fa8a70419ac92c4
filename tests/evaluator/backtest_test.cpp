#include "evaluator/backtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "stream/random.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

// Two answerers of a coin that both know something of; the candidate knows `edge` more.
class Coin {
 public:
  explicit Coin(double edge) : edge_(edge) {}

  void replay(Backtest& backtest, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t i = begin; i < end && !backtest.verdict(); ++i) {
      KeyedGenerator generator(5, i);
      const double label = generator.uniform() < 0.5 ? 1 : 0;
      const double champion_luck = generator.uniform() - 0.5;
      const double candidate_luck = generator.uniform() - 0.5;
      const double side = label == 1 ? 1 : -1;
      champion_[0] = static_cast<float>(0.5 + 0.2 * side + 0.4 * champion_luck);
      candidate_[0] = static_cast<float>(0.5 + (0.2 + edge_) * side + 0.4 * candidate_luck);
      baseline_ = {0.5F, static_cast<float>(1 - label)};
      AnsweredRow row;
      row.label = label;
      row.candidate = candidate_;
      row.champion = champion_;
      row.baseline = baseline_;
      row.loss = {i, static_cast<Millis>(i) * kSecond,
                  log_loss(Task::binary, champion_, label, 0.01),
                  log_loss(Task::binary, candidate_, label, 0.01), label == 1};
      backtest.add(row);
    }
  }

 private:
  double edge_;
  std::array<float, 1> champion_{};
  std::array<float, 1> candidate_{};
  std::array<float, 2> baseline_{};
};

Backtest fresh_backtest() { return Backtest(Task::binary, 1, EvaluationPolicy{}, 1, 0); }

std::string state_of(const Backtest& backtest) {
  Encoder to;
  backtest.save(to);
  return to.take();
}

TEST(Backtest, StopsAtTheFirstBlockThatDecides) {
  Backtest backtest = fresh_backtest();
  Coin(0.05).replay(backtest, 0, 20000);
  ASSERT_TRUE(backtest.verdict());
  EXPECT_EQ(backtest.verdict()->kind, VerdictKind::promote);
  EXPECT_EQ(backtest.figures().counted_rows % backtest.figures().block_rows, 0U);
  EXPECT_EQ(backtest.rows(), backtest.figures().counted_rows + 2000);
  const std::string decided = state_of(backtest);
  Coin(0.05).replay(backtest, 20000, 20100);
  EXPECT_EQ(state_of(backtest), decided) << "after a verdict nothing is added";
}

TEST(Backtest, MetricsOfAllSidesAreOverTheSameRows) {
  Backtest backtest = fresh_backtest();
  Coin(0.05).replay(backtest, 0, 1500);
  EXPECT_EQ(backtest.candidate().rows(), 1500U);
  EXPECT_EQ(backtest.champion().rows(), 1500U);
  EXPECT_EQ(backtest.baselines().no_change().rows(), 1500U);
  EXPECT_LT(backtest.candidate().mean_loss(), backtest.champion().mean_loss());
  for (const Metric& metric : backtest.baselines().no_change().values()) {
    if (metric.name == "accuracy") {
      EXPECT_EQ(metric.value, 0) << "always the other side";
    }
  }
}

TEST(Backtest, SavedAnywhereGoesOnToTheSameBits) {
  Backtest whole = fresh_backtest();
  Coin(0.005).replay(whole, 0, 6000);
  for (const std::uint64_t stop : {1U, 1999U, 2000U, 2777U, 5999U}) {
    Backtest first = fresh_backtest();
    Coin(0.005).replay(first, 0, stop);
    const std::string state = state_of(first);
    Backtest second = fresh_backtest();
    Decoder from(state);
    second.load(from);
    EXPECT_TRUE(from.at_end());
    Coin(0.005).replay(second, stop, 6000);
    EXPECT_EQ(state_of(second), state_of(whole)) << stop;
  }
}

TEST(Backtest, RowsThatEndEarlyAreInconclusiveAndSaySo) {
  Backtest backtest = fresh_backtest();
  Coin(0.005).replay(backtest, 0, 1000);
  EXPECT_EQ(backtest.conclusion().reason, "calibrating");
  EXPECT_THAT(backtest.conclusion().sentence, HasSubstr("1000 rows"));
  Coin(0.005).replay(backtest, 1000, 2300);
  ASSERT_FALSE(backtest.verdict());
  EXPECT_EQ(backtest.conclusion().kind, VerdictKind::inconclusive);
  EXPECT_EQ(backtest.conclusion().reason, "rows_ended");
  EXPECT_THAT(backtest.conclusion().sentence, HasSubstr("after 300 rows, all there are"));
}

TEST(Backtest, LossesThatNoBlockFitsGetNoVerdictAndSaySo) {
  std::vector<PairedLoss> recorded;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    recorded.push_back({i, static_cast<Millis>(i), i < 2000 ? 0.9 : 0.1, 0.5, i % 2 == 0});
  }
  Backtest backtest(Task::binary, 1, EvaluationPolicy{}, 1, 0, recorded);
  Coin(0.05).replay(backtest, 0, 3000);
  ASSERT_FALSE(backtest.verdict());
  EXPECT_EQ(backtest.conclusion().reason, "unsteady");
  EXPECT_THAT(backtest.conclusion().sentence, HasSubstr("no test holds"));
}

}  // namespace
}  // namespace freshet
