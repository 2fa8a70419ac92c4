// Whole pipelines over planted streams: what the benchmark runs over thousands of streams, over the
// first few. Seeds are fixed. A stream of an A/A cell may hold a false promotion with probability
// alpha = .05 at most, so of 24 streams more than 7 do with probability 1.4e-5.
#include <gtest/gtest.h>

#include "tests/simulation/planted_run.h"

namespace freshet {
namespace {

constexpr std::uint64_t kStreams = 24;
constexpr std::uint64_t kMostFalse = 7;

struct CellOutcome {
  std::uint64_t verdicts = 0;
  std::uint64_t promoting = 0;  ///< streams with any promotion
  std::uint64_t rejecting = 0;
};

CellOutcome run_cell(PlantedCell cell) {
  const PipelineConfig config = planted_config(cell);
  CellOutcome sum;
  for (std::uint64_t stream = 0; stream < kStreams; ++stream) {
    const PlantedOutcome outcome = run_planted_stream(cell, config, stream);
    sum.verdicts += outcome.verdicts;
    sum.promoting += outcome.promotions > 0 ? 1 : 0;
    sum.rejecting += outcome.rejections > 0 ? 1 : 0;
  }
  return sum;
}

void expect_few_promotions(PlantedCell cell) {
  const CellOutcome outcome = run_cell(cell);
  EXPECT_LE(outcome.promoting, kMostFalse);
  EXPECT_GE(outcome.verdicts, kStreams) << "nothing was judged";
}

TEST(PlantedStreams, OfEqualModelsSeldomPromoteOne) { expect_few_promotions(PlantedCell::iid); }

TEST(PlantedStreams, OfEqualModelsThatErrOnOtherClassesWithLateLabelsSeldomPromoteOne) {
  expect_few_promotions(PlantedCell::class_delay);
}

TEST(PlantedStreams, OfModelsThatAreEqualOverACycleSeldomPromoteOne) {
  expect_few_promotions(PlantedCell::cycle);
}

TEST(PlantedStreams, OfEqualModelsWithDependentLossesSeldomPromoteOne) {
  expect_few_promotions(PlantedCell::autocorrelated);
}

TEST(PlantedStreams, OfEqualModelsWithFewPositivesSeldomPromoteOne) {
  expect_few_promotions(PlantedCell::rare);
}

// If .9 of the streams end so, fewer than 15 of 24 do with probability 5e-5.
constexpr std::uint64_t kFewestTrue = 15;

TEST(PlantedStreams, WithABetterChallengerPromoteIt) {
  EXPECT_GE(run_cell(PlantedCell::better).promoting, kFewestTrue);
}

TEST(PlantedStreams, OfWorseModelsPromoteNone) {
  const CellOutcome outcome = run_cell(PlantedCell::worse);
  EXPECT_EQ(outcome.promoting, 0U);
  EXPECT_GE(outcome.rejecting, kFewestTrue);
}

}  // namespace
}  // namespace freshet
