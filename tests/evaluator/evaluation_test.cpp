// The streaming comparison on planted losses. Seeds are fixed; where a rate is claimed its bound is
// stated.
#include "evaluator/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stream/random.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

/// Pairs of losses whose mean difference (champion - candidate) is `effect`.
class Losses {
 public:
  Losses(std::uint64_t seed, double effect) : generator_(seed), effect_(effect) {}

  PairedLoss next() {
    PairedLoss loss;
    loss.question = question_++;
    loss.time = static_cast<Millis>(loss.question) * kMinute;
    loss.champion = 1 + (generator_.uniform() - 0.5);
    loss.candidate = 1 - effect_ + (generator_.uniform() - 0.5);
    loss.minority = generator_.uniform() < 0.3;
    return loss;
  }
  std::vector<PairedLoss> next(std::size_t n) {
    std::vector<PairedLoss> losses;
    for (std::size_t i = 0; i < n; ++i) losses.push_back(next());
    return losses;
  }

 private:
  KeyedGenerator generator_;
  double effect_;
  std::uint64_t question_ = 0;
};

struct Ending {
  Verdict verdict;
  std::uint64_t rows = 0;
};

Ending run(Evaluation& evaluation, Losses& losses, std::size_t limit = 30'000) {
  for (std::size_t row = 1; row <= limit; ++row) {
    evaluation.add(losses.next());
    if (row % 64 != 0) continue;
    if (const auto verdict = evaluation.look(0)) return {*verdict, row};
  }
  ADD_FAILURE() << "no verdict";
  return {};
}

Ending run(double effect, std::uint64_t seed, EvaluationPolicy policy = {}) {
  Losses losses(seed, effect);
  Evaluation evaluation(policy, 1, losses.next(4000));
  return run(evaluation, losses);
}

TEST(Evaluation, ABetterCandidateIsPromotedWithASentence) {
  const Ending ending = run(0.05, 1);
  EXPECT_EQ(ending.verdict.kind, VerdictKind::promote);
  EXPECT_THAT(ending.verdict.sentence, HasSubstr("Promote: log-loss lower by"));
  EXPECT_THAT(ending.verdict.sentence, HasSubstr("rows"));
  EXPECT_LT(ending.rows, 4000U);
}

TEST(Evaluation, AWorseCandidateIsRejected) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(run(-0.05, seed).verdict.kind, VerdictKind::reject);
  }
}

TEST(Evaluation, TheBoundedTestPromotesLaterButPromotes) {
  EvaluationPolicy policy;
  policy.test = TestKind::bounded;
  const Ending ending = run(0.1, 1, policy);
  EXPECT_EQ(ending.verdict.kind, VerdictKind::promote);
  EXPECT_GT(ending.rows, run(0.1, 1).rows);
}

TEST(Evaluation, AnEqualCandidateIsSeldomPromoted) {
  // alpha .05 at the first threshold ln 40: at most .025 in theory. 300 streams, binomial bound at
  // .035 with six standard errors: 29.
  int promoted = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    promoted += run(0, 1000 + seed).verdict.kind == VerdictKind::promote ? 1 : 0;
  }
  EXPECT_LE(promoted, 29);
}

TEST(Evaluation, AFrozenCandidatesFirstRowsCalibrateAndDoNotCount) {
  Losses losses(3, 0.05);
  Evaluation evaluation({}, 1, {});
  for (int i = 0; i < 1999; ++i) evaluation.add(losses.next());
  EXPECT_EQ(evaluation.figures(0).block_rows, 0U);
  evaluation.add(losses.next());
  EXPECT_EQ(evaluation.figures(0).block_rows, 50U);
  EXPECT_EQ(evaluation.figures(0).counted_rows, 0U);
}

TEST(Evaluation, LooksWaitForAWholeCycle) {
  EvaluationPolicy policy;
  policy.cycle = kDay;  // 1,440 rows of a minute
  Losses losses(4, 0.3);
  Evaluation evaluation(policy, 1, losses.next(4000));
  for (int i = 0; i < 1440; ++i) {
    EXPECT_FALSE(evaluation.look(0).has_value()) << "row " << i;
    evaluation.add(losses.next());
  }
  for (int i = 0; i < 64; ++i) evaluation.add(losses.next());
  EXPECT_TRUE(evaluation.look(0).has_value());
}

TEST(Evaluation, DependenceOverHundredsOfRowsIsInconclusive) {
  const auto cyclic = [](std::uint64_t i) {
    PairedLoss loss;
    loss.question = i;
    loss.champion = 1 + 0.3 * std::sin(static_cast<double>(i) / 3000);
    loss.candidate = 1 + 0.01 * std::sin(static_cast<double>(i * i));
    loss.minority = i % 2 == 0;
    return loss;
  };
  std::vector<PairedLoss> recorded;
  std::uint64_t row = 0;
  for (; row < 10'000; ++row) recorded.push_back(cyclic(row));
  Evaluation evaluation({}, 1, recorded);
  std::optional<Verdict> verdict;
  for (; row < 40'000 && !verdict; ++row) {
    evaluation.add(cyclic(row));
    verdict = evaluation.look(0);
  }
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->kind, VerdictKind::inconclusive);
  EXPECT_EQ(verdict->reason, "unsteady");
}

TEST(Evaluation, ARareMinoritySwitchesToTheBoundedTest) {
  Losses losses(5, 0);
  std::vector<PairedLoss> recorded = losses.next(4000);
  for (std::size_t i = 0; i < recorded.size(); ++i) recorded[i].minority = i % 2000 == 0;
  EXPECT_EQ(Evaluation({}, 1, recorded).figures(0).test, TestKind::bounded);
}

TEST(Evaluation, RegressionLossesAreCappedAndACandidateThatHidesThereIsVetoed) {
  EvaluationPolicy policy;
  policy.loss = LossKind::absolute;
  Losses losses(6, 0.1);
  Evaluation evaluation(policy, 1, losses.next(4000));
  std::optional<Verdict> verdict;
  for (int i = 1; i < 20'000 && !verdict; ++i) {
    PairedLoss loss = losses.next();
    if (i % 100 == 0) loss.candidate = 1000;  // far beyond the cap
    evaluation.add(loss);
    verdict = evaluation.look(0);
  }
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->kind, VerdictKind::reject);
}

TEST(Evaluation, SavedInTheMiddleItEndsTheSame) {
  Losses losses(7, 0.03);
  Evaluation evaluation({}, 2, losses.next(4000));
  for (int i = 0; i < 333; ++i) evaluation.add(losses.next());
  Encoder to;
  evaluation.save(to);
  Decoder from(to.bytes());
  Evaluation restored = Evaluation::load(from);
  EXPECT_TRUE(from.at_end());
  Losses same = losses;
  const Ending a = run(evaluation, losses);
  const Ending b = run(restored, same);
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.verdict.sentence, b.verdict.sentence);
  Encoder end_a;
  Encoder end_b;
  evaluation.save(end_a);
  restored.save(end_b);
  EXPECT_EQ(end_a.bytes(), end_b.bytes());
}

}  // namespace
}  // namespace freshet
