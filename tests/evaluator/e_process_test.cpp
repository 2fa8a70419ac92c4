// Published figures that the formulas must give: Howard et al.'s confseq tests, GrowthBook's
// sequential tests, and golden values of the betting grid.
#include "evaluator/e_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evaluator/mixtures.h"

namespace freshet {
namespace {

constexpr double kVariance = 100;

/// The sum at which `log_process` reaches ln(1 / alpha).
template <class LogProcess>
double bound(const LogProcess& log_process, double alpha) {
  double low = 0;
  double high = 1000;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (log_process(middle) < std::log(1 / alpha) ? low : high) = middle;
  }
  return low;
}

TEST(Mixture, RhoIsHowardsBest) { EXPECT_NEAR(mixture_rho(0.05, kVariance), 12.60056, 1e-5); }

TEST(Mixture, TheTwoSidedNormalIsHowards) {
  const double rho = mixture_rho(0.05, kVariance);
  EXPECT_NEAR(log_two_sided_mixture(10, kVariance, rho), -0.6510052, 1e-7);
  EXPECT_NEAR(bound([&](double s) { return log_two_sided_mixture(s, kVariance, rho); }, 0.05),
              30.35209, 1e-5);
}

TEST(Mixture, TheGammaExponentialIsHowards) {
  const double rho = mixture_rho(2 * 0.05, kVariance);
  const auto mixture = [&](double s) {
    return log_gamma_exponential_mixture(s, kVariance, rho, 2);
  };
  EXPECT_NEAR(mixture(10), -0.2490165, 1e-7);
  EXPECT_NEAR(bound(mixture, 0.05), 33.02017, 1e-5);
}

TEST(Mixture, OfAHopelessSumIsNoEvidence) {
  for (const double sum : {-1e3, -100.0, -50.0, 0.0}) {
    EXPECT_LT(log_gamma_exponential_mixture(sum, kVariance, 10, 2), 0) << sum;
  }
}

TEST(Mixture, TheBernoulliIntervalIsHowards) {
  const auto [low, high] = bernoulli_interval(700, 1000, 0.05, 100);
  EXPECT_NEAR(low, 0.651629, 1e-6);
  EXPECT_NEAR(high, 0.745949, 1e-6);
}

TEST(Mixture, TheBernoulliIntervalOfOneSidedFlipsReachesTheEnd) {
  const auto [low, high] = bernoulli_interval(0, 50, 0.05, 100);
  EXPECT_EQ(low, 0);
  EXPECT_GT(high, 0.01);
  EXPECT_LT(high, 0.5);
  const auto mirrored = bernoulli_interval(50, 50, 0.05, 100);
  EXPECT_NEAR(mirrored.first, 1 - high, 1e-9);
  EXPECT_EQ(mirrored.second, 1);
}

TEST(EProcess, TheOneSidedMixtureIsHowards) {
  const double r = sequence_rho_squared(0.1, kVariance);
  EXPECT_NEAR(log_normal_mixture(10, kVariance, r), -0.06502391, 1e-8);
  EXPECT_NEAR(bound([&](double s) { return log_normal_mixture(s, kVariance, r); }, 0.05), 27.66071,
              1e-5);
}

TEST(EProcess, TheOneSidedSequenceIsGrowthBooks) {
  const double na = 3000, sum_a = 1396.87, squares_a = 52377.9767;
  const double nb = 3461, sum_b = 2422.7, squares_b = 134698.29;
  const double variance_a = (squares_a - sum_a * sum_a / na) / (na - 1);
  const double variance_b = (squares_b - sum_b * sum_b / nb) / (nb - 1);
  const double n = na + nb;
  const double deviation = std::sqrt((variance_a / na + variance_b / nb) * n);
  const double lower = sum_b / nb - sum_a / na - one_sided_half_width(deviation, n, 0.05, 5000);
  EXPECT_NEAR(lower, -0.12656844, 1e-8);
}

TEST(EProcess, TheBettingGridsCapitalIsTheGoldenOne) {
  constexpr double kMargin = 0.01;
  BettingGrid grid(1 + kMargin);
  for (int t = 1; t <= 200; ++t) {
    grid.add(-0.5 + 0.11 * ((7 * t) % 11) - kMargin);
    if (t == 100) {
      EXPECT_NEAR(grid.log_capital(), 0.306296738, 1e-9);
    }
  }
  EXPECT_NEAR(grid.log_capital(), 0.643377386, 1e-9);
}

TEST(EProcess, EvidenceOfNothingIsBelowOne) {
  EXPECT_LT(log_normal_mixture(0, kVariance, 0.01), 0);
  EXPECT_LT(log_normal_mixture(-1e4, kVariance, 0.01), log_normal_mixture(0, kVariance, 0.01));
  EXPECT_TRUE(std::isfinite(log_normal_mixture(-1e6, kVariance, 0.01)));
}

TEST(EProcess, ELondsThresholdGrowsWithEvaluationsAndPromotions) {
  EXPECT_DOUBLE_EQ(log_elond_threshold(1, 0, 0.05), std::log(2 / 0.05));
  EXPECT_DOUBLE_EQ(log_elond_threshold(3, 1, 0.05), std::log(3 * 4 * 2 / 0.05));
}

TEST(Mixture, McNemarsEValueIsTheBetaFunctions) {
  EXPECT_NEAR(std::exp(log_mcnemar(15, 5)), 3.2206, 1e-4);
}

}  // namespace
}  // namespace freshet
