#include "orchestrator/scoreboard.h"

#include <algorithm>
#include <cmath>

namespace freshet {

Scoreboard::Scoreboard(const PipelineConfig& config)
    : config_(config),
      live_(config.schema.task, answer_width(config.schema), config.evaluate.clip),
      baselines_(config.schema.task, answer_width(config.schema), config.evaluate.clip) {}

void Scoreboard::baseline_answer(std::span<float> out) const {
  float no_change = 0;
  baselines_.answer(out.first(out.size() - 1), no_change);
  out.back() = no_change;
}

void Scoreboard::add(SettledRows rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Entry entry;
    entry.pair = {rows.question[i], rows.time[i], rows.served_loss[i], 0.0, rows.minority[i] != 0};
    entry.served = i >= rows.served_from;
    entry.label = rows.label[i];
    entry.prior = rows.prior_loss[i];
    for (const auto& [version, answers] : rows.learners) {
      if (i >= answers.from) entry.learners.emplace_back(version, answers.loss[i]);
    }
    if (ring_.size() == kRecorded) ring_.pop_front();
    ring_.push_back(std::move(entry));
  }
  settled_rows_ += rows.size();
  waiting_.push_back(std::move(rows));
}

void Scoreboard::catch_up() {
  for (const SettledRows& rows : waiting_) add_metrics(rows);
  waiting_.clear();
}

void Scoreboard::add_metrics(const SettledRows& rows) {
  const std::size_t width = answer_width(config_.schema);
  for (std::size_t i = rows.served_from; i < rows.size(); ++i) {
    live_.add(std::span(rows.served).subspan(i * width, width), rows.label[i]);
    const auto baseline = std::span(rows.baseline).subspan(i * (width + 1), width + 1);
    baselines_.score(baseline.first(width), baseline.back(), rows.label[i]);
  }
  for (const auto& [version, answers] : rows.learners) {
    if (answers.from >= rows.size()) continue;
    auto found = learners_.find(version);
    if (found == learners_.end()) {
      Metrics metrics(config_.schema.task, width, config_.evaluate.clip);
      found = learners_.emplace(version, std::move(metrics)).first;
    }
    for (std::size_t i = answers.from; i < rows.size(); ++i) {
      found->second.add(std::span(answers.values).subspan(i * width, width), rows.label[i]);
    }
  }
}

// What still waits holds its rows too, and would bring it back.
void Scoreboard::forget(std::uint64_t version) {
  catch_up();
  learners_.erase(version);
}

const double* Scoreboard::find(const Entry& entry, std::uint64_t version) {
  for (const auto& [number, loss] : entry.learners) {
    if (number == version) return &loss;
  }
  return nullptr;
}

std::vector<PairedLoss> Scoreboard::recorded(std::uint64_t version) const {
  std::vector<PairedLoss> pairs;
  for (const Entry& entry : ring_) {
    const double* loss = find(entry, version);
    if (!entry.served || loss == nullptr) continue;
    pairs.push_back(entry.pair);
    pairs.back().candidate = *loss;
  }
  return pairs;
}

std::optional<Scoreboard::Standing> Scoreboard::standing(std::uint64_t version,
                                                         std::size_t rows) const {
  if (ring_.size() < rows || rows == 0) return std::nullopt;
  Standing sum;
  for (std::size_t i = ring_.size() - rows; i < ring_.size(); ++i) {
    const double* loss = find(ring_[i], version);
    if (loss == nullptr) return std::nullopt;
    sum.learner += *loss;
    sum.prior += ring_[i].prior;
  }
  const auto n = static_cast<double>(rows);
  return Standing{sum.learner / n, sum.prior / n};
}

Scoreboard::Brake Scoreboard::brake(std::uint64_t version) const {
  Brake brake;
  if (ring_.size() < kBrakeRows) return brake;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = ring_.size() - kBrakeRows; i < ring_.size(); ++i) {
    const double* loss = find(ring_[i], version);
    if (loss == nullptr || !ring_[i].served) return brake;
    const double difference = *loss - ring_[i].pair.champion;
    sum += difference;
    squares += difference * difference;
  }
  constexpr auto n = static_cast<double>(kBrakeRows);
  brake.mean_difference = sum / n;
  const double variance = std::max(0.0, (squares - sum * brake.mean_difference) / (n - 1));
  brake.standard_error = std::sqrt(variance / n);
  brake.hold = brake.mean_difference > 2 * brake.standard_error;
  return brake;
}

void Scoreboard::save(Encoder& to) const {
  to.put(settled_rows_);
  live_.save(to);
  baselines_.save(to);
  to.put(static_cast<std::uint64_t>(learners_.size()));
  for (const auto& [version, metrics] : learners_) {
    to.put(version);
    metrics.save(to);
  }
  to.put(static_cast<std::uint64_t>(ring_.size()));
  for (const Entry& entry : ring_) {
    to.put(entry.pair.question).put(entry.pair.time).put(entry.pair.champion);
    to.put(static_cast<std::uint8_t>(entry.pair.minority));
    to.put(static_cast<std::uint8_t>(entry.served)).put(entry.label).put(entry.prior);
    to.put(static_cast<std::uint64_t>(entry.learners.size()));
    for (const auto& [version, loss] : entry.learners) to.put(version).put(loss);
  }
}

void Scoreboard::load(Decoder& from) {
  settled_rows_ = from.get<std::uint64_t>();
  live_.load(from);
  baselines_.load(from);
  learners_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    const auto version = from.get<std::uint64_t>();
    Metrics metrics(config_.schema.task, answer_width(config_.schema), config_.evaluate.clip);
    metrics.load(from);
    learners_.emplace(version, std::move(metrics));
  }
  ring_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    Entry entry;
    entry.pair.question = from.get<std::uint64_t>();
    entry.pair.time = from.get<Millis>();
    entry.pair.champion = from.get<double>();
    entry.pair.minority = from.get<std::uint8_t>() != 0;
    entry.served = from.get<std::uint8_t>() != 0;
    entry.label = from.get<double>();
    entry.prior = from.get<double>();
    for (auto count = from.get<std::uint64_t>(); count > 0; --count) {
      const auto version = from.get<std::uint64_t>();
      entry.learners.emplace_back(version, from.get<double>());
    }
    ring_.push_back(std::move(entry));
  }
}

}  // namespace freshet
