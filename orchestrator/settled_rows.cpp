#include "orchestrator/settled_rows.h"

#include <algorithm>
#include <utility>

#include "evaluator/metrics.h"

namespace freshet {

double judged_loss(const PipelineConfig& config, std::span<const float> answer, double label) {
  switch (config.promote.on) {
    case LossKind::log_loss:
      return log_loss(config.schema.task, answer, label, config.evaluate.clip);
    case LossKind::zero_one:
      return zero_one_loss(config.schema.task, answer, label);
    case LossKind::absolute:
      return absolute_loss(static_cast<double>(answer[0]), label);
    case LossKind::squared:
      return squared_loss(static_cast<double>(answer[0]), label);
  }
  return 0;
}

namespace {

// The answers of one series to questions [begin, end), only the labeled ones kept. Gives the index
// of the first row that has one.
class SeriesReader {
 public:
  SeriesReader(RowStore& store, std::span<const SettledQuestion> settled)
      : store_(store), settled_(settled) {}

  std::size_t read(const std::string& series, std::size_t width, std::vector<float>& out) {
    const std::uint64_t begin = settled_.front().question;
    const std::uint64_t end = settled_.back().question + 1;
    const auto [covered_begin, covered_end] = store_.answered(series);
    const std::uint64_t from = std::clamp(covered_begin, begin, end);
    const bool covered = covered_end >= end && from < end;
    raw_.assign((end - begin) * width, 0.0F);
    if (covered) {
      store_.read_answers(series, from, end, raw_.data() + (from - begin) * width);
    }
    std::size_t first = 0;
    out.clear();
    for (const SettledQuestion& row : settled_) {
      if (!row.label) continue;
      if (!covered || row.question < from) ++first;
      const auto at = raw_.begin() + static_cast<std::ptrdiff_t>((row.question - begin) * width);
      out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(width));
    }
    return first;
  }

 private:
  RowStore& store_;
  std::span<const SettledQuestion> settled_;
  std::vector<float> raw_;
};

bool is_minority(Task task, std::span<const float> prior, double label) {
  if (task == Task::binary) return label == 1;
  if (task == Task::regression) return false;
  const auto majority = std::max_element(prior.begin(), prior.end()) - prior.begin();
  return static_cast<double>(majority) != label;
}

}  // namespace

SettledRows read_settled(const PipelineConfig& config, RowStore& store,
                         std::span<const SettledQuestion> settled,
                         std::span<const std::uint64_t> versions) {
  SettledRows rows;
  if (settled.empty()) return rows;
  const std::size_t width = answer_width(config.schema);
  for (const SettledQuestion& row : settled) {
    if (!row.label) continue;
    rows.question.push_back(row.question);
    rows.label.push_back(*row.label);
    rows.time.push_back(store.time(row.question));
  }
  const std::size_t n = rows.size();
  SeriesReader reader(store, settled);
  reader.read(kBaselineSeries, width + 1, rows.baseline);
  rows.prior_loss.resize(n);
  rows.minority.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::span<const float> prior(rows.baseline.data() + i * (width + 1), width);
    rows.prior_loss[i] = judged_loss(config, prior, rows.label[i]);
    rows.minority[i] = is_minority(config.schema.task, prior, rows.label[i]) ? 1 : 0;
  }
  rows.served_from = reader.read(kServedSeries, width, rows.served);
  rows.served_loss = judged_losses(config, rows, rows.served_from, rows.served);
  for (const std::uint64_t version : versions) {
    SettledRows::Answers answers;
    answers.from = reader.read(learner_series(version), width, answers.values);
    answers.loss = judged_losses(config, rows, answers.from, answers.values);
    rows.learners.emplace(version, std::move(answers));
  }
  return rows;
}

std::vector<float> frozen_answers(RowStore& store, std::size_t column, const SettledRows& rows,
                                  std::size_t first, const Model& model) {
  const std::size_t width = model.outputs();
  std::vector<float> answers(rows.size() * width, 0.0F);
  if (first >= rows.size()) return answers;
  const std::uint64_t begin = rows.question[first];
  const std::uint64_t end = rows.question.back() + 1;
  std::vector<float> vectors((end - begin) * store.columns().at(column).width);
  store.read_vectors(column, begin, end, vectors.data());
  std::vector<float> all((end - begin) * width);
  model.predict(vectors.data(), end - begin, all.data());
  for (std::size_t i = first; i < rows.size(); ++i) {
    std::copy_n(all.data() + (rows.question[i] - begin) * width, width, answers.data() + i * width);
  }
  return answers;
}

std::vector<double> judged_losses(const PipelineConfig& config, const SettledRows& rows,
                                  std::size_t first, std::span<const float> answers) {
  const std::size_t width = answer_width(config.schema);
  std::vector<double> loss(rows.size(), 0.0);
  for (std::size_t i = first; i < rows.size(); ++i) {
    loss[i] = judged_loss(config, answers.subspan(i * width, width), rows.label[i]);
  }
  return loss;
}

std::uint64_t first_question_at(RowStore& store, std::uint64_t questions, std::uint64_t position) {
  std::uint64_t low = store.first_question();
  std::uint64_t high = questions;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (store.position(middle) < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::uint64_t first_row_known_after(RowStore& store, std::uint64_t begin, std::uint64_t end,
                                    std::uint64_t position) {
  std::uint64_t low = begin;
  std::uint64_t high = end;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (store.row(middle).known_position <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

EvaluationPolicy evaluation_policy(const PipelineConfig& config, Millis span) {
  EvaluationPolicy policy;
  policy.loss = config.promote.on;
  policy.test = config.evaluate.test;
  policy.margin = config.promote.margin;
  policy.alpha = config.promote.alpha;
  policy.clip = config.evaluate.clip;
  policy.max_rows = config.evaluate.max_rows;
  policy.cycle = config.evaluate.cycle.value_or(span > 2 * kDay ? kDay : 0);
  return policy;
}

}  // namespace freshet
