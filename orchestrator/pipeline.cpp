#include "orchestrator/pipeline.h"

#include <algorithm>
#include <utility>

namespace freshet {

namespace {

constexpr std::size_t kAhead = 16;     // segments asked before they are judged, at most
constexpr std::size_t kKeptAhead = 6;  // and, where there are so many records, at least
constexpr std::uint64_t kCheckpointRows = 131072;
constexpr std::uint64_t kCheckpointQuestions = 262144;

}  // namespace

Pipeline::Pipeline(const PipelineConfig& config, const EventLog& log, RowStore& store,
                   Learning& learning, Journal& journal)
    : config_(config),
      config_hash_(freshet::config_hash(config)),
      recipes_(config.learners),
      store_(store),
      learning_(learning),
      journal_(journal),
      asker_(config_, log, store),
      scoreboard_(config_),
      cuts_(makes_cuts(config_)),
      trigger_row_(config.retrain.when.size(), 0),
      trigger_time_(config.retrain.when.size(), Watermark::kNone) {}

// After an error segments are still being learned beside this: they must not go first.
Pipeline::~Pipeline() { learning_.abandon(); }

bool Pipeline::makes_cuts(const PipelineConfig& config) {
  return std::any_of(config.retrain.actions.begin(), config.retrain.actions.end(),
                     [](const auto& action) { return action.kind == RetrainKind::cut; });
}

void Pipeline::begin() {
  learning_.use_recipes(recipes_);
  for (std::size_t recipe = 0; recipe < recipes_.size(); ++recipe) start_learner(recipe);
}

std::uint64_t Pipeline::start_learner(std::size_t recipe) {
  ActiveLearner learner;
  learner.recipe = recipe;
  learner.seed = config_.seed * 1000 + recipe;
  learner.started_row = row_;
  Lineage lineage;
  lineage.kind = "learner";
  lineage.rows_begin = kept_.row;
  learner.version = add_version(recipe, describe(recipe, learner.seed, lineage), "learning");
  learning_.start(learner.version, recipe, learner.seed, kept_.row);
  learners_.push_back(learner);
  return learner.version;
}

bool Pipeline::advance(std::uint64_t log_head, std::size_t max_segments) {
  std::uint64_t head = log_head;
  const auto ask = [&] {
    Segment segment;
    if (!spare_.empty()) {
      segment = std::move(spare_.back());
      spare_.pop_back();
    }
    if (!asker_.next(head, segment)) return false;
    asked_.push_back(std::move(segment));
    return true;
  };
  for (std::size_t i = 0; i < max_segments; ++i) {
    while (command_due()) apply_due_command();
    head = commands_.empty() ? log_head : std::min(log_head, commands_.front().position);
    if (asked_.empty() && !ask()) return command_due();
    // What runs ahead must not outrun a checkpoint: it holds the asker's state and the judge's.
    post_ahead();
    while (!checkpoint_due_ && asked_.size() < kAhead &&
           (asked_.size() < kKeptAhead || !learning_.done()) && ask()) {
      post_ahead();
    }
    const Segment& segment = asked_.front();
    scoreboard_.catch_up();
    learning_.wait();
    answer_served(segment);
    judge(segment);
    spare_.push_back(std::move(asked_.front()));
    asked_.pop_front();
    --posted_;
    if (checkpoint_due_ && asked_.empty()) checkpoint();
  }
  return true;
}

void Pipeline::drain() {
  // A tick may stand between two of the rows that one record releases: a command takes effect at
  // a position, so after all of them.
  const std::uint64_t head = asker_.position() + (asker_.within_record() ? 1 : 0);
  while (advance(head, kAhead)) {
  }
}

void Pipeline::post_ahead() {
  while (posted_ < asked_.size()) {
    if (posted_ > 0 && wants_learner(asked_[posted_ - 1])) return;
    learning_.post(asked_[posted_++]);
  }
}

bool Pipeline::wants_learner(const Segment& segment) const {
  return segment.at_tick && (cuts_ || anchor_row(segment.end_row()));
}

bool Pipeline::anchor_row(std::uint64_t row) const {
  return row % config_.promote.refresh.keep_every_rows < config_.tick_rows;
}

std::vector<std::uint64_t> Pipeline::active_versions() const {
  std::vector<std::uint64_t> versions;
  for (const ActiveLearner& learner : learners_) versions.push_back(learner.version);
  return versions;
}

// Until its learner learns its next batch, the champion and it are one model.
void Pipeline::answer_served(const Segment& segment) {
  if (!champion_ || segment.questions == 0) return;
  const std::size_t width = answer_width(config_.schema);
  answers_.resize(segment.questions * width);
  const Model& champion = *champion_->snapshot.model;
  if (learning_.answered_by(champion_->version) == &champion) {
    const std::span<const float> learned = learning_.answers(champion_->version);
    std::copy(learned.begin(), learned.end(), answers_.begin());
  } else {
    const Segment::Vectors& vectors = segment.vectors[features_of(champion_->version)];
    champion.predict(vectors.questions.data(), segment.questions, answers_.data());
  }
  for (std::size_t i = 0; i < segment.served.size(); ++i) {
    std::copy_n(segment.served_answers.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                answers_.begin() + static_cast<std::ptrdiff_t>(segment.served[i] * width));
  }
  store_.answer(kServedSeries, width, segment.first_question, answers_);
}

void Pipeline::judge(const Segment& segment) {
  record_answers(segment);
  position_ = segment.end_position;
  row_ = segment.end_row();
  question_ = segment.end_question();
  watermark_ = segment.watermark;
  log_bytes_ = segment.end_bytes;
  if (segment.first_question == 0 && segment.questions > 0) first_time_ = store_.time(0);
  if (!segment.settled.empty()) {
    SettledRows rows = read_settled(config_, store_, segment.settled, active_versions());
    for (Trial& trial : trials_) feed_trial(rows, trial);
    feed_probation(rows);
    scoreboard_.add(std::move(rows));
    settled_question_ = segment.settled.back().question + 1;
  }
  if (segment.at_tick) tick();
  if (row_ - last_checkpoint_row_ >= kCheckpointRows ||
      question_ - last_checkpoint_question_ >= kCheckpointQuestions) {
    checkpoint_due_ = true;
  }
}

// The baselines answer each question with the labels known before it, in log order.
void Pipeline::record_answers(const Segment& segment) {
  const std::size_t width = answer_width(config_.schema);
  answers_.resize(segment.questions * (width + 1));
  std::size_t row = 0;
  for (std::size_t i = 0; i < segment.questions; ++i) {
    for (; row < segment.rows.size() && segment.rows[row].asked_before <= i; ++row) {
      scoreboard_.known(segment.rows[row].label);
    }
    scoreboard_.baseline_answer(std::span(answers_).subspan(i * (width + 1), width + 1));
  }
  for (; row < segment.rows.size(); ++row) scoreboard_.known(segment.rows[row].label);
  if (segment.questions == 0) return;
  store_.answer(kBaselineSeries, width + 1, segment.first_question, answers_);
  for (const ActiveLearner& learner : learners_) {
    store_.answer(learner_series(learner.version), width, segment.first_question,
                  learning_.answers(learner.version));
  }
}

void Pipeline::feed_trial(const SettledRows& rows, Trial& trial) {
  if (rows.size() == 0 || rows.question.back() < trial.start_question) return;
  const auto from = static_cast<std::size_t>(
      std::lower_bound(rows.question.begin(), rows.question.end(), trial.start_question) -
      rows.question.begin());
  std::vector<double> loss;
  std::size_t first = std::max(from, rows.served_from);
  if (trial.challenger) {
    const SettledRows::Answers& answers = rows.learners.at(trial.candidate);
    first = std::max(first, answers.from);
    loss = answers.loss;
  } else {
    loss = frozen_losses(rows, first, trial.candidate, *learning_.snapshot(trial.candidate).model);
  }
  for (std::size_t i = first; i < rows.size(); ++i) {
    trial.evaluation.add(
        {rows.question[i], rows.time[i], rows.served_loss[i], loss[i], rows.minority[i] != 0});
  }
}

std::vector<double> Pipeline::frozen_losses(const SettledRows& rows, std::size_t first,
                                            std::uint64_t version, const Model& model) {
  return judged_losses(config_, rows, first,
                       frozen_answers(store_, features_of(version), rows, first, model));
}

void Pipeline::feed_probation(const SettledRows& rows) {
  if (!probation_ || rows.size() == 0 || rows.question.back() < probation_->start_question) return;
  const auto from = static_cast<std::size_t>(
      std::lower_bound(rows.question.begin(), rows.question.end(), probation_->start_question) -
      rows.question.begin());
  const std::vector<double> loss =
      frozen_losses(rows, from, previous_->version, *previous_->snapshot.model);
  for (std::size_t i = from; i < rows.size(); ++i) {
    probation_->evaluation.add(
        {rows.question[i], rows.time[i], rows.served_loss[i], loss[i], rows.minority[i] != 0});
    ++probation_->rows;
  }
}

void Pipeline::checkpoint(bool alone) {
  // Only whole segments are judged: what was asked ahead must have been judged too.
  while (!asked_.empty()) advance(asker_.position(), 1);
  scoreboard_.catch_up();
  if (champion_) store_artifact(*champion_);
  pending_.aliases.clear();
  if (champion_) pending_.aliases.push_back({"champion", champion_->version, champion_->row});
  if (previous_) pending_.aliases.push_back({"previous", previous_->version, previous_->row});
  for (const Trial& trial : trials_) record_trial(trial, "running", "", "");
  pending_.position = position_;
  pending_.row = row_;
  pending_.questions = question_;
  pending_.alone = alone;
  save(pending_);
  journal_.commit(std::move(pending_));
  pending_ = {};
  forget_old();
  checkpoint_due_ = false;
  last_checkpoint_row_ = row_;
  last_checkpoint_question_ = question_;
}

std::vector<Decision> Pipeline::take_news() { return std::exchange(news_, {}); }

}  // namespace freshet
