#include "orchestrator/backtest_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/command_support.h"
#include "orchestrator/pipeline_state.h"
#include "orchestrator/receipts.h"
#include "orchestrator/scoreboard.h"
#include "orchestrator/summary.h"
#include "stream/sha256.h"
#include "trainer/artifact.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::uint32_t kStateFormat = 1;
constexpr std::uint64_t kStep = 1024;  // questions

json range_json(const std::optional<std::uint64_t>& end) { return end ? json(*end) : json(); }

std::string policy_hash(const PipelineConfig& config) {
  PipelineConfig policy;
  policy.evaluate = config.evaluate;
  policy.promote = config.promote;
  return sha256_hex(write_config(policy));
}

// The threshold is the one the pipeline's own evaluation of this pair had, or would have now.
struct Place {
  std::uint64_t k = 1;
  std::uint64_t promotions = 0;
};

Place place_of(const Registry& registry, const std::string& pipeline, std::uint64_t candidate,
               std::uint64_t champion) {
  Place place;
  std::uint64_t found = 0;
  for (const EvaluationRecord& evaluation : registry.evaluations(pipeline)) {
    place.k = evaluation.number + 1;
    if (evaluation.candidate == candidate && evaluation.champion == champion) {
      found = evaluation.number;
    }
  }
  if (found != 0) place.k = found;
  for (const Decision& decision : registry.decisions(pipeline)) {
    if (found != 0 && decision.evaluation == found) break;
    if (decision.kind == "promoted") ++place.promotions;
  }
  return place;
}

json sources_json(const std::array<std::uint64_t, kAnswerSources>& rows) {
  json sources = json::object();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sources[name_of(static_cast<AnswerSource>(i))] = rows[i];
  }
  return sources;
}

// A point doesn't know how many promotions there were.
std::vector<SeriesPoint> series_of(const Backtest& backtest) {
  std::vector<SeriesPoint> series = backtest.evaluation().series();
  for (SeriesPoint& point : series) point.log_threshold = backtest.figures().log_threshold;
  return series;
}

}  // namespace

BacktestRun::BacktestRun(Workspace& workspace, const std::string& pipeline,
                         const BacktestRequest& request)
    : workspace_(workspace),
      pipeline_(pipeline),
      request_(request),
      config_(recorded_config(workspace.registry(), pipeline)),
      policy_hash_(policy_hash(config_)) {
  check_version(request.candidate);
  check_version(request.champion);
  if (request.candidate == request.champion) {
    throw Error(
        ErrorKind::invalid,
        fmt::format("version {} against itself: name two different versions", request.candidate));
  }
  // Everything that the newest checkpoint covers is in the row store, whatever its owner does now.
  const auto checkpoint = workspace.registry().checkpoint(pipeline);
  if (!checkpoint) {
    throw Error(ErrorKind::not_found,
                fmt::format("pipeline \"{}\" has no checkpoint yet: nothing to replay", pipeline));
  }
  store_ = RowStore::open_reader(workspace.rows_path(pipeline));
  rows_end_ = checkpoint->row;
  settled_ = settled_questions(*checkpoint, config_.schema);
  choose_rows(request);
  order_.emplace(*store_, rows_begin_, rows_end_);
  kept_ = BacktestStore::open(workspace.backtests_path(pipeline));
  id_ = sha256_hex(json{
      {"format", kStateFormat},
      {"pipeline", pipeline},
      {"candidate", request.candidate},
      {"champion", request.champion},
      {"rows", {range_json(request.begin), range_json(request.end)}},
      {"policy",
       policy_hash_}}.dump());
  if (const auto kept = kept_->find(id_)) {
    resume(*kept);
  } else {
    begin();
  }
}

void BacktestRun::check_version(std::uint64_t version) const {
  const std::vector<Version> versions = workspace_.registry().versions(pipeline_);
  const auto same = [&](const Version& known) { return known.number == version; };
  if (std::any_of(versions.begin(), versions.end(), same)) return;
  throw Error(
      ErrorKind::not_found,
      versions.empty()
          ? fmt::format("pipeline \"{}\" has no versions yet", pipeline_)
          : fmt::format("pipeline \"{}\" has no version {}; it has versions {} to {}: see "
                        "freshet registry list",
                        pipeline_, version, versions.front().number, versions.back().number));
}

void BacktestRun::choose_rows(const BacktestRequest& request) {
  const AnswerSources candidate =
      answer_sources(workspace_.registry(), pipeline_, *store_, request.candidate, settled_, false);
  const AnswerSources champion =
      answer_sources(workspace_.registry(), pipeline_, *store_, request.champion, settled_, true);
  const std::uint64_t honest = std::max(candidate.first_row, champion.first_row);
  rows_begin_ = request.begin.value_or(honest);
  if (rows_begin_ < honest) {
    const bool by_candidate = candidate.first_row == honest;
    throw Error(ErrorKind::invalid,
                fmt::format("rows from {} on: version {} has seen rows below {} or was not there "
                            "yet, and must not be judged on them; the first honest row is {}",
                            rows_begin_, by_candidate ? request.candidate : request.champion,
                            honest, honest));
  }
  if (std::max(request.begin.value_or(0), request.end.value_or(0)) > rows_end_) {
    throw Error(
        ErrorKind::invalid,
        fmt::format("rows {}:{}: there are {} rows as of the last checkpoint; leave the "
                    "end out to take what there is",
                    rows_begin_, request.end ? std::to_string(*request.end) : "", rows_end_));
  }
  if (request.end) rows_end_ = *request.end;
  rows_begin_ = std::min(rows_begin_, rows_end_);
  stretches_ = paired(candidate, champion);
}

Backtest BacktestRun::fresh(std::vector<PairedLoss> recorded) {
  const Place place =
      place_of(workspace_.registry(), pipeline_, request_.candidate, request_.champion);
  const Millis span =
      settled_ == 0 ? 0 : store_->time(settled_ - 1) - store_->time(store_->first_question());
  return Backtest(config_.schema.task, answer_width(config_.schema),
                  evaluation_policy(config_, span), place.k, place.promotions, std::move(recorded));
}

void BacktestRun::begin() {
  std::vector<PairedLoss> recorded;
  if (request_.begin) recorded = recorded_before();
  calibration_rows_ = recorded.size();
  backtest_.emplace(fresh(std::move(recorded)));
}

// As for a challenger: where both had answered the rows before, those calibrate.
std::vector<PairedLoss> BacktestRun::recorded_before() {
  std::optional<std::uint64_t> first;
  for (const PairedStretch& s : stretches_) {
    for (auto at = s.candidate.begin; at < s.candidate.end && !first; at += kStep) {
      const auto labeled = order_->questions(at, std::min(s.candidate.end, at + kStep));
      if (!labeled.empty()) first = labeled.front().question;
    }
  }
  std::vector<PairedLoss> recorded;
  AskedOrder before(*store_, store_->first_row(), rows_begin_);
  for (auto s = stretches_.rbegin(); first && s != stretches_.rend(); ++s) {
    if (s->candidate.source == AnswerSource::scored || s->champion.source == AnswerSource::scored) {
      continue;
    }
    std::uint64_t end = std::min(*first, s->candidate.end);
    while (end > s->candidate.begin && recorded.size() < Scoreboard::kRecorded) {
      const std::uint64_t begin = std::max(s->candidate.begin, end - std::min(end, kStep));
      const Answered answered = read(*s, before.questions(begin, end));
      for (std::size_t i = answered.rows.size(); i > answered.from; --i) {
        recorded.push_back(answered.pair(i - 1));
      }
      end = begin;
    }
  }
  recorded.resize(std::min(recorded.size(), Scoreboard::kRecorded));
  if (recorded.size() < kCalibrationRows) recorded.clear();
  std::reverse(recorded.begin(), recorded.end());
  return recorded;
}

void BacktestRun::resume(const BacktestRecord& kept) {
  Decoder from(kept.state);
  rows_begin_ = from.get<std::uint64_t>();
  const auto rows_end = from.get<std::uint64_t>();
  order_.emplace(*store_, rows_begin_, rows_end_);
  question_ = from.get<std::uint64_t>();
  calibration_rows_ = from.get<std::uint64_t>();
  for (auto* answers : {&candidate_answers_, &champion_answers_}) {
    for (std::uint64_t& rows : *answers) rows = from.get<std::uint64_t>();
  }
  backtest_.emplace(fresh({}));
  backtest_->load(from);
  if (backtest_->verdict()) rows_end_ = rows_end;
  resumed_rows_ = backtest_->rows();
}

const PairedStretch* BacktestRun::next_stretch() const {
  if (backtest_->verdict() || rows_begin_ >= rows_end_) return nullptr;
  const auto stretch =
      std::find_if(stretches_.begin(), stretches_.end(),
                   [&](const PairedStretch& s) { return s.candidate.end > question_; });
  return stretch == stretches_.end() ? nullptr : &*stretch;
}

bool BacktestRun::advance() {
  const PairedStretch* stretch = next_stretch();
  if (stretch == nullptr) return false;
  const std::uint64_t begin = std::max(question_, stretch->candidate.begin);
  const std::uint64_t end = std::min(stretch->candidate.end, begin / kStep * kStep + kStep);
  replay(*stretch, begin, end);
  question_ = end;
  return true;
}

const Model& BacktestRun::model(const AnswerStretch& stretch, std::uint64_t version,
                                Scorer& scorer) {
  if (scorer.artifact != stretch.artifact) {
    const Artifact artifact = read_artifact(workspace_.artifacts().get(stretch.artifact));
    const Lineage lineage = workspace_.registry().version(pipeline_, version).lineage;
    scorer.column = store_->column(lineage.feature_identity);
    const std::size_t width = store_->columns()[scorer.column].width;
    const std::size_t needed = artifact.spec.layout.size();
    if (needed != width) {
      throw Error(ErrorKind::conflict,
                  fmt::format("artifact {} answers vectors of {} values, its features' have {}",
                              stretch.artifact, needed, width));
    }
    scorer.model = make_model(artifact.spec, artifact.state);
    scorer.artifact = stretch.artifact;
  }
  return *scorer.model;
}

SettledRows::Answers BacktestRun::answers(const AnswerStretch& stretch, std::uint64_t version,
                                          SettledRows& rows, Scorer& scorer) {
  switch (stretch.source) {
    case AnswerSource::served:
      return {rows.served_from, rows.served, rows.served_loss};
    case AnswerSource::recorded:
      return std::move(rows.learners.at(version));
    case AnswerSource::scored:
      break;
  }
  SettledRows::Answers scored;
  const Model& scoring = model(stretch, version, scorer);
  scored.values = frozen_answers(*store_, scorer.column, rows, 0, scoring);
  scored.loss = judged_losses(config_, rows, 0, scored.values);
  return scored;
}

PairedLoss BacktestRun::Answered::pair(std::size_t i) const {
  return {rows.question[i], rows.time[i], champion.loss[i], candidate.loss[i],
          rows.minority[i] != 0};
}

BacktestRun::Answered BacktestRun::read(const PairedStretch& stretch,
                                        const std::vector<SettledQuestion>& labeled) {
  std::vector<std::uint64_t> recorded;
  for (const auto& [side, version] : {std::pair{&stretch.candidate, request_.candidate},
                                      std::pair{&stretch.champion, request_.champion}}) {
    if (side->source == AnswerSource::recorded) recorded.push_back(version);
  }
  Answered answered;
  if (labeled.empty()) return answered;
  answered.rows = read_settled(config_, *store_, labeled, recorded);
  answered.candidate =
      answers(stretch.candidate, request_.candidate, answered.rows, candidate_scorer_);
  answered.champion = answers(stretch.champion, request_.champion, answered.rows, champion_scorer_);
  answered.from = std::max(answered.candidate.from, answered.champion.from);
  return answered;
}

void BacktestRun::replay(const PairedStretch& stretch, std::uint64_t begin, std::uint64_t end) {
  const Answered answered = read(stretch, order_->questions(begin, end));
  const std::size_t width = answer_width(config_.schema);
  for (std::size_t i = answered.from; i < answered.rows.size(); ++i) {
    if (backtest_->verdict()) return;
    AnsweredRow row;
    row.loss = answered.pair(i);
    row.label = answered.rows.label[i];
    row.candidate = std::span(answered.candidate.values).subspan(i * width, width);
    row.champion = std::span(answered.champion.values).subspan(i * width, width);
    row.baseline = std::span(answered.rows.baseline).subspan(i * (width + 1), width + 1);
    backtest_->add(row);
    ++candidate_answers_[static_cast<std::size_t>(stretch.candidate.source)];
    ++champion_answers_[static_cast<std::size_t>(stretch.champion.source)];
  }
}

void BacktestRun::save() {
  Encoder to;
  to.put(rows_begin_).put(rows_end_).put(question_).put(calibration_rows_);
  for (const auto* answers : {&candidate_answers_, &champion_answers_}) {
    for (const std::uint64_t rows : *answers) to.put(rows);
  }
  backtest_->save(to);
  kept_->put(
      {id_, request_.candidate, request_.champion, status(), kept_report().dump(), to.take()});
}

std::string BacktestRun::status() const {
  if (!backtest_->verdict()) return next_stretch() != nullptr ? "running" : "undecided";
  switch (backtest_->verdict()->kind) {
    case VerdictKind::promote:
      return "promote";
    case VerdictKind::reject:
      return "reject";
    case VerdictKind::inconclusive:
      break;
  }
  return "inconclusive";
}

json BacktestRun::kept_report() const {
  const auto& wanted = config_.evaluate.metrics;
  const char* prior = config_.schema.task == Task::regression ? "mean" : "majority";
  const Verdict verdict = backtest_->conclusion();
  const EvaluationFigures figures = backtest_->figures();
  return {{"id", id_},
          {"pipeline", pipeline_},
          {"candidate", request_.candidate},
          {"champion", request_.champion},
          {"rows", {rows_begin_, rows_end_}},
          {"replayed_rows", backtest_->rows()},
          {"counted_rows", figures.counted_rows},
          {"calibration_rows", calibration_rows_ + backtest_->rows() - figures.counted_rows},
          {"answers",
           {{"candidate", sources_json(candidate_answers_)},
            {"champion", sources_json(champion_answers_)}}},
          {"metrics",
           {{"candidate", metrics_json(backtest_->candidate(), wanted)},
            {"champion", metrics_json(backtest_->champion(), wanted)},
            {"baselines",
             {{prior, metrics_json(backtest_->baselines().prior(), wanted)},
              {"no_change", metrics_json(backtest_->baselines().no_change(), wanted)}}}}},
          {"verdict", status()},
          {"reason", verdict.reason},
          {"sentence", verdict.sentence},
          {"figures", json::parse(evaluation_figures(figures))},
          {"policy", json::parse(evaluation_policy_json(backtest_->evaluation().policy()))},
          {"policy_hash", policy_hash_},
          {"k", backtest_->evaluation().k()},
          {"promotions", backtest_->promotions()},
          {"series", json::parse(evaluation_series(series_of(*backtest_)))}};
}

json BacktestRun::report() const {
  json report = kept_report();
  report["resumed_from"] = resumed_rows_ == 0 ? json() : json(resumed_rows_);
  return report;
}

}  // namespace freshet
