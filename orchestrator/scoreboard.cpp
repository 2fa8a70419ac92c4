#include "orchestrator/scoreboard.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace freshet {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Scoreboard::Scoreboard(const PipelineConfig& config)
    : config_(config),
      live_(config.schema.task, answer_width(config.schema), config.evaluate.clip),
      baselines_(std::in_place, config.schema.task, answer_width(config.schema),
                 config.evaluate.clip) {}

void Scoreboard::baseline_answer(std::span<float> out) const {
  float no_change = 0;
  baselines_->answer(out.first(out.size() - 1), no_change);
  out.back() = no_change;
}

void Scoreboard::add(SettledRows rows) {
  for (const auto& [version, answers] : rows.learners) {
    losses_.try_emplace(version, kRecorded, kNone);
  }
  std::vector<std::pair<std::vector<double>*, const SettledRows::Answers*>> columns;
  for (auto& [version, losses] : losses_) {
    const auto found = rows.learners.find(version);
    columns.emplace_back(&losses, found == rows.learners.end() ? nullptr : &found->second);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Recorded row{
        rows.question[i], rows.time[i],       i >= rows.served_from ? rows.served_loss[i] : kNone,
        rows.label[i],    rows.prior_loss[i], rows.minority[i] != 0};
    std::size_t place = recorded_.size();
    if (place < kRecorded) {
      recorded_.push_back(row);
    } else {
      place = std::exchange(oldest_, (oldest_ + 1) % kRecorded);
      recorded_[place] = row;
    }
    for (const auto& [losses, answers] : columns) {
      const bool answered = answers != nullptr && i >= answers->from;
      (*losses)[place] = answered ? answers->loss[i] : kNone;
    }
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
    baselines_->score(baseline.first(width), baseline.back(), rows.label[i]);
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
  losses_.erase(version);
}

const std::vector<double>* Scoreboard::losses(std::uint64_t version) const {
  const auto found = losses_.find(version);
  return found == losses_.end() ? nullptr : &found->second;
}

PairedLoss Scoreboard::recorded_pair(std::size_t i) const {
  const Recorded& row = recorded_[slot(i)];
  return {row.question, row.time, row.served, 0.0, row.minority};
}

std::vector<PairedLoss> Scoreboard::recorded(std::uint64_t version) const {
  std::vector<PairedLoss> pairs;
  const std::vector<double>* learner = losses(version);
  for (std::size_t i = 0; learner != nullptr && i < recorded_.size(); ++i) {
    PairedLoss pair = recorded_pair(i);
    pair.candidate = (*learner)[slot(i)];
    if (!std::isnan(pair.champion) && !std::isnan(pair.candidate)) pairs.push_back(pair);
  }
  return pairs;
}

std::optional<Scoreboard::Standing> Scoreboard::standing(std::uint64_t version,
                                                         std::size_t rows) const {
  const std::vector<double>* learner = losses(version);
  if (learner == nullptr || recorded_.size() < rows || rows == 0) return std::nullopt;
  Standing sum;
  for (std::size_t i = recorded_.size() - rows; i < recorded_.size(); ++i) {
    sum.learner += (*learner)[slot(i)];
    sum.prior += recorded_[slot(i)].prior;
  }
  if (std::isnan(sum.learner)) return std::nullopt;
  const auto n = static_cast<double>(rows);
  return Standing{sum.learner / n, sum.prior / n};
}

Scoreboard::Brake Scoreboard::brake(std::uint64_t version) const {
  Brake brake;
  const std::vector<double>* learner = losses(version);
  if (learner == nullptr || recorded_.size() < kBrakeRows) return brake;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = recorded_.size() - kBrakeRows; i < recorded_.size(); ++i) {
    const double difference = (*learner)[slot(i)] - recorded_[slot(i)].served;
    sum += difference;
    squares += difference * difference;
  }
  if (std::isnan(sum)) return brake;  // not all of them have both answers
  constexpr auto n = static_cast<double>(kBrakeRows);
  brake.mean_difference = sum / n;
  const double variance = std::max(0.0, (squares - sum * brake.mean_difference) / (n - 1));
  brake.standard_error = std::sqrt(variance / n);
  brake.hold = brake.mean_difference > 2 * brake.standard_error;
  return brake;
}

void Scoreboard::config_changed() {
  catch_up();
  Encoder to;
  save(to);
  const std::size_t width = answer_width(config_.schema);
  live_ = Metrics(config_.schema.task, width, config_.evaluate.clip);
  baselines_.emplace(config_.schema.task, width, config_.evaluate.clip);
  const std::string state = to.take();
  Decoder from(state);
  load(from);
}

void Scoreboard::save(Encoder& to) const {
  to.put(settled_rows_);
  live_.save(to);
  baselines_->save(to);
  to.put(static_cast<std::uint64_t>(learners_.size()));
  for (const auto& [version, metrics] : learners_) {
    to.put(version);
    metrics.save(to);
  }
  to.put(static_cast<std::uint64_t>(recorded_.size())).put(static_cast<std::uint64_t>(oldest_));
  for (const Recorded& row : recorded_) {
    to.put(row.question).put(row.time).put(row.served).put(row.label).put(row.prior);
    to.put(static_cast<std::uint8_t>(row.minority));
  }
  to.put(static_cast<std::uint64_t>(losses_.size()));
  for (const auto& [version, losses] : losses_) to.put(version).put(losses);
}

void Scoreboard::load(Decoder& from) {
  settled_rows_ = from.get<std::uint64_t>();
  live_.load(from);
  baselines_->load(from);
  learners_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    const auto version = from.get<std::uint64_t>();
    Metrics metrics(config_.schema.task, answer_width(config_.schema), config_.evaluate.clip);
    metrics.load(from);
    learners_.emplace(version, std::move(metrics));
  }
  recorded_.clear();
  const auto recorded = from.get<std::uint64_t>();
  oldest_ = from.get<std::uint64_t>();
  for (std::uint64_t i = 0; i < recorded; ++i) {
    Recorded row;
    row.question = from.get<std::uint64_t>();
    row.time = from.get<Millis>();
    row.served = from.get<double>();
    row.label = from.get<double>();
    row.prior = from.get<double>();
    row.minority = from.get<std::uint8_t>() != 0;
    recorded_.push_back(row);
  }
  losses_.clear();
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    const auto version = from.get<std::uint64_t>();
    losses_[version] = from.vector<double>();
  }
  const auto fits = [](const auto& named) { return named.second.size() == kRecorded; };
  if (recorded > kRecorded || oldest_ >= kRecorded ||
      !std::all_of(losses_.begin(), losses_.end(), fits)) {
    throw Error(ErrorKind::corrupt, "saved recorded losses do not fit together");
  }
}

}  // namespace freshet
