#include "orchestrator/served_pipeline.h"

#include <fmt/format.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/feature_sets.h"
#include "orchestrator/registry_json.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ServedPipeline::ServedPipeline(Workspace& workspace, const std::string& name,
                               const std::optional<PipelineConfig>& file, FeedOptions feed,
                               Changes& changes, Notice notice)
    : workspace_(workspace),
      name_(name),
      feed_(std::move(feed)),
      changes_(changes),
      notice_(std::move(notice)),
      open_(std::make_unique<OpenPipeline>(workspace, name, file, knobs())),
      counts_log_(EventLog::open_reader(workspace.log_path(name))),
      schema_(open_->config.schema),
      pushed_(schema_, "http"),
      predictor_(std::make_unique<Predictor>(schema_)) {
  open_viewer();
  if (open_->config.sink) {
    outbox_ = std::make_unique<Outbox>(workspace, name, open_->config, notice_);
  }
  publish(true);
  start_ingest();
  thread_ = std::jthread([this](const std::stop_token& stop) { pipeline_loop(stop); });
}

RunKnobs ServedPipeline::knobs() {
  RunKnobs knobs;
  knobs.times = &times_;
  return knobs;
}

ServedPipeline::~ServedPipeline() { end(); }

void ServedPipeline::end() {
  ending_ = true;
  thread_.request_stop();  // first: what opens anew looks for it after having opened
  pushed_.close();
  if (thread_.joinable()) thread_.join();
}

void ServedPipeline::open_viewer() {
  const auto lock = workspace_.use_registry();
  viewer_ = std::make_unique<PipelineViewer>(workspace_.registry().decisions(name_));
}

void ServedPipeline::start_ingest() {
  ingest_ = std::jthread([this] {
    try {
      ingest_loop();
    } catch (const std::exception& error) {
      fail(error, "cannot take events: ");
      pushed_.abandon(std::current_exception());
    }
  });
}

std::optional<std::vector<LineResult>> ServedPipeline::append(std::string lines, bool labels_only) {
  check_running();
  auto pushed = pushed_.push({std::move(lines), labels_only, true, {}});
  if (!pushed) return std::nullopt;
  return pushed->get();
}

std::optional<std::vector<ServedPipeline::Prediction>> ServedPipeline::predict(
    const std::vector<std::string>& events, const PredictOptions& options) {
  const auto begin = Clock::now();
  std::vector<Answer> answers = predictor_->answer(events);
  times_.predict.add(Clock::now() - begin);
  predictions_ += answers.size();
  std::vector<Prediction> predictions(answers.size());
  std::future<std::vector<LineResult>> recorded;
  if (options.record) {
    check_running();
    PushSource::Submission questions;
    questions.urgent = options.durable;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      questions.lines += events[i] + "\n";
      questions.served.push_back({answers[i].position, answers[i].version, answers[i].row,
                                  answers[i].vector, answers[i].values, answers[i].features});
    }
    auto pushed = pushed_.push(std::move(questions));
    if (!pushed) return std::nullopt;
    recorded = std::move(*pushed);
  }
  for (std::size_t i = 0; i < answers.size(); ++i) predictions[i].answer = std::move(answers[i]);
  if (options.record && options.durable) {
    for (LineResult& result : recorded.get()) {
      predictions.at(result.line - 1).recorded = std::move(result);
    }
  }
  return predictions;
}

std::vector<Decision> ServedPipeline::command(CommandRecord record,
                                              std::optional<std::uint64_t> expected_champion) {
  return on_pipeline_thread([this, record = std::move(record), expected_champion] {
    open_->command(workspace_, record, expected_champion);
    return news();
  });
}

std::vector<Decision> ServedPipeline::apply(const PipelineConfig& config, const std::string& reason,
                                            const std::optional<std::string>& expected_hash) {
  return on_pipeline_thread([this, config, reason, expected_hash] {
    if (expected_hash && *expected_hash != open_->pipeline.config_hash()) {
      throw Error(ErrorKind::conflict,
                  "the policy was changed meanwhile: look again and decide anew");
    }
    open_->apply_config(workspace_, config, reason);
    return news();
  });
}

// What waits to be gone through first may be much: views and a stop are seen to meanwhile.
Erased ServedPipeline::erase(const EraseRequest& request) {
  parse_erasure_key(request.key, schema_);  // a mistyped one needn't wait
  Erased erased;
  on_pipeline_thread([&] {
    const std::uint64_t head = open_->log->head();
    while (open_->pipeline.advance(head, kMostSegments)) {
      gone_through_ = open_->pipeline.position();
      publish(false);
      if (thread_.get_stop_token().stop_requested()) {
        throw Error(ErrorKind::conflict, "the service is stopping: nothing was erased");
      }
    }
    erased = open_->erase(workspace_, request);
    if (outbox_) outbox_->read_again();
    return std::vector<Decision>{};
  });
  return erased;
}

std::shared_ptr<const PipelineView> ServedPipeline::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

std::optional<std::string> ServedPipeline::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::optional<std::string> ServedPipeline::feed_failure() const {
  const std::lock_guard lock(mutex_);
  return feed_failure_;
}

SourceState ServedPipeline::feed_state() const {
  const std::lock_guard lock(mutex_);
  return feed_state_;
}

std::optional<Outbox::State> ServedPipeline::sink_state() const {
  if (!outbox_) return std::nullopt;
  return outbox_->state();
}

void ServedPipeline::check_running() const {
  if (const auto why = failure()) throw Error(ErrorKind::unavailable, *why);
}

void ServedPipeline::fail(const std::exception& error, const std::string& doing) {
  pushed_.close();
  const bool for_room = dynamic_cast<const NoRoom*>(&error) != nullptr;
  const bool goes_on = for_room && !ending_;
  const std::string what = doing + error.what() +
                           (goes_on ? "; the service goes on by itself once 64 MiB are free" : "");
  const std::string failure = fmt::format("pipeline {}: {}", name_, what);
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
    only_room_ = only_room_ && for_room;
  }
  woken_.notify_all();
  changes_.publish(json_text({{"pipeline", name_}, {"failure", failure}}));
  notice_(what);
}

// The predictor's own: the pipeline's is its thread's.
std::shared_ptr<const FeatureSet> ServedPipeline::features_of(const ServedRevision& revision) {
  if (features_ == nullptr || features_version_ != revision.version) {
    const std::vector<FeatureSpec>& specs = open_->pipeline.features(revision);
    features_ = std::make_shared<const FeatureSet>(schema_, specs);
    served_key_ = specs == open_->config.features ? 0 : served_key(*features_);
    features_version_ = revision.version;
  }
  return features_;
}

void ServedPipeline::publish(bool now) {
  const Pipeline& pipeline = open_->pipeline;
  const std::vector<Decision> decisions = news();
  Predictor::Champion champion;
  champion.position = pipeline.position();
  champion.missing_rows = pipeline.missing_rows();
  if (const ServedRevision* revision = pipeline.champion()) {
    champion.model = revision->snapshot.model;
    champion.features = features_of(*revision);
    champion.served_key = served_key_;
    champion.version = revision->version;
    champion.row = revision->row;
  }
  predictor_->serve(std::move(champion));
  if (!now && decisions.empty() && Clock::now() < view_due()) return;
  published_ = Clock::now();
  seen_position_ = pipeline.position();
  seen_head_ = open_->log->head();
  auto view = std::make_shared<const PipelineView>(viewer_->look(*open_, *counts_log_));
  if (outbox_) outbox_->reach(view->last_decision, *open_->log, *open_->store);
  const std::string change = nlohmann::json{
      {"pipeline", name_},
      {"rows", view->rows},
      {"settled_rows", view->settled_rows},
      {"position", view->position},
      {"decision", view->last_decision},
      {"evaluation",
       view->last_evaluation}}.dump();
  {
    const std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }
  if (std::exchange(last_change_, change) != change) changes_.publish(change);
}

}  // namespace freshet
