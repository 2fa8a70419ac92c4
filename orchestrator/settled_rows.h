#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "stream/label_join.h"
#include "stream/row_store.h"
#include "trainer/model.h"

namespace freshet {

/// Names of the answer series in the row store.
inline const std::string kServedSeries = "served";
inline const std::string kBaselineSeries = "baseline";  ///< prior (answer width), then no-change
inline std::string learner_series(std::uint64_t version) {
  return "version:" + std::to_string(version);
}

/// A run of questions in asked order that have settled, with all that judging needs of them:
/// labels, times, the answers as they were given, and their losses. Given-up questions are left
/// out.
struct SettledRows {
  std::vector<std::uint64_t> question;
  std::vector<double> label;
  std::vector<Millis> time;
  std::vector<std::uint8_t> minority;
  std::vector<float> baseline;  ///< rows x (answer width + 1)
  std::vector<double> prior_loss;

  std::size_t served_from = 0;  ///< rows before this index have no served answer
  std::vector<float> served;    ///< rows x answer width (zeros before served_from)
  std::vector<double> served_loss;

  struct Answers {
    std::size_t from = 0;  ///< rows before this index have no answer
    std::vector<float> values;
    std::vector<double> loss;
  };
  std::map<std::uint64_t, Answers> learners;  ///< by version

  std::size_t size() const { return question.size(); }
};

/// The loss that the pipeline judges by (`promote.on`).
double judged_loss(const PipelineConfig& config, std::span<const float> answer, double label);

/// A frozen model's answers to the rows from index `first` on, rows x answer width (zeros before),
/// from the feature vectors as stored when the questions were asked.
/// `column`: those of the feature set that it learned from.
std::vector<float> frozen_answers(RowStore& store, std::size_t column, const SettledRows& rows,
                                  std::size_t first, const Model& model);
std::vector<double> judged_losses(const PipelineConfig& config, const SettledRows& rows,
                                  std::size_t first, std::span<const float> answers);

/// The first of `questions` questions that was asked at or after a log position.
std::uint64_t first_question_at(RowStore& store, std::uint64_t questions, std::uint64_t position);

/// The first of rows [begin, end) whose label became known after the record at a log position: the
/// first that can be of a question asked there or later.
std::uint64_t first_row_known_after(RowStore& store, std::uint64_t begin, std::uint64_t end,
                                    std::uint64_t position);

/// What an evaluation is begun with when the log spans `span` of event time.
EvaluationPolicy evaluation_policy(const PipelineConfig& config, Millis span);

/// Reads what `settled` needs from the store. `versions`: the learners to look at.
SettledRows read_settled(const PipelineConfig& config, RowStore& store,
                         std::span<const SettledQuestion> settled,
                         std::span<const std::uint64_t> versions);

}  // namespace freshet
