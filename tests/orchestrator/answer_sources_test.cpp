#include "orchestrator/answer_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "orchestrator/asked_order.h"
#include "orchestrator/settled_rows.h"
#include "stream/error.h"
#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::ElementsAre;

// Question q is asked at position q; its label is known 10 records later, so row q is of question q
// and known at position q + 10.
class AnswerSourcesTest : public FolderTest {
 protected:
  AnswerSourcesTest()
      : store_(RowStore::open(":memory:", {{"f", 1}})),
        registry_(Registry::open(path("registry.db"))) {
    registry_->set_config("p", "{}");
    for (std::uint64_t q = 0; q < 1000; ++q) {
      const std::array<float, 1> vector = {0};
      const std::array<std::span<const float>, 1> columns = {vector};
      store_->ask(q, static_cast<Millis>(q), columns);
    }
    for (std::uint64_t q = 0; q < 990; ++q) store_->add_row({q, 1, q + 10});
    answer(learner_series(1), 0, 700);
    answer(kServedSeries, 200, 1000);
    CheckpointRecord record;
    for (const std::uint64_t number : {1U, 2U, 3U}) record.versions.push_back(version(number));
    record.decisions = {decision(1, "first_champion", 200, 1), decision(2, "held_back", 300, 2),
                        decision(3, "promoted", 600, 2)};
    record.revisions = {{1, 200, "w1", ""}, {2, 500, "w2", ""}, {2, 590, "w3", ""}};
    registry_->commit("p", record);
  }

  void answer(const std::string& series, std::uint64_t begin, std::uint64_t end) {
    store_->answer(series, 1, begin, std::vector<float>(end - begin, 0.5F));
  }
  static Version version(std::uint64_t number) {
    Version v;
    v.number = number;
    return v;
  }
  static Decision decision(std::uint64_t sequence, const std::string& kind, std::uint64_t position,
                           std::uint64_t to) {
    Decision d;
    d.sequence = sequence;
    d.kind = kind;
    d.position = position;
    d.to_version = to;
    return d;
  }
  std::vector<std::string> sources(std::uint64_t version, bool as_champion) {
    std::vector<std::string> words;
    const AnswerSources found = answer_sources(*registry_, "p", *store_, version, 900, as_champion);
    words.push_back("row " + std::to_string(found.first_row));
    for (const AnswerStretch& s : found.stretches) {
      words.push_back(std::to_string(s.begin) + "-" + std::to_string(s.end) + " " +
                      name_of(s.source) + s.artifact);
    }
    return words;
  }

  std::unique_ptr<RowStore> store_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(AnswerSourcesTest, AChampionsServedAnswersComeFirstThenItsOwnThenItsWeights) {
  EXPECT_THAT(sources(1, true), ElementsAre("row 0", "0-200 recorded", "200-600 served",
                                            "600-700 recorded", "700-900 scoredw1"));
}

TEST_F(AnswerSourcesTest, ACandidateLearnersOwnAnswersComeFirst) {
  EXPECT_THAT(sources(1, false), ElementsAre("row 0", "0-700 recorded", "700-900 scoredw1"));
}

TEST_F(AnswerSourcesTest, WeightsAnswerNothingAskedBeforeTheirLastLabelWasKnown) {
  // Row 499 became known at 509, row 589 at 599.
  EXPECT_THAT(sources(2, false),
              ElementsAre("row 500", "509-599 scoredw2", "599-600 scoredw3", "600-900 served"));
}

TEST_F(AnswerSourcesTest, AVersionOfWhichNothingIsKeptIsNotFound) {
  error_of(ErrorKind::not_found, [&] { sources(3, false); });
}

TEST_F(AnswerSourcesTest, ARangeOfRowsComesInAskedOrder) {
  const auto store = RowStore::open(":memory:", {{"f", 1}});
  for (std::uint64_t q = 0; q < 6; ++q) {
    const std::array<float, 1> vector = {0};
    const std::array<std::span<const float>, 1> columns = {vector};
    store->ask(q, 0, columns);
  }
  for (const auto& [question, known] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {1, 2}, {4, 5}, {0, 6}, {3, 7}, {5, 8}}) {
    store->add_row({question, static_cast<double>(question) / 10, known});
  }
  AskedOrder order(*store, 1, 4);
  std::vector<std::uint64_t> questions;
  for (const SettledQuestion& settled : order.questions(0, 6)) {
    questions.push_back(settled.question);
    EXPECT_EQ(*settled.label, static_cast<double>(settled.question) / 10);
  }
  EXPECT_THAT(questions, ElementsAre(0, 3, 4));
}

}  // namespace
}  // namespace freshet
