#include "orchestrator/served_pipeline.h"

#include <fmt/format.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/feature_sets.h"
#include "orchestrator/registry_json.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kViewEvery{150};  // while something moves
constexpr std::chrono::milliseconds kRestEvery{1000};
constexpr std::size_t kMostSegments = 16;  // between two looks at commands

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
  {
    const auto lock = workspace_.use_registry();
    viewer_ = std::make_unique<PipelineViewer>(workspace_.registry().decisions(name));
  }
  if (open_->config.sink) {
    outbox_ = std::make_unique<Outbox>(workspace, name, open_->config, notice_);
  }
  publish(true);
  ingest_ = std::jthread([this] {
    try {
      ingest_loop();
    } catch (const std::exception& error) {
      fail(fmt::format("cannot take events: {}", error.what()));
      pushed_.abandon(std::current_exception());
    }
  });
  thread_ = std::jthread([this](const std::stop_token& stop) { pipeline_loop(stop); });
}

RunKnobs ServedPipeline::knobs() {
  RunKnobs knobs;
  knobs.times = &times_;
  return knobs;
}

ServedPipeline::~ServedPipeline() {
  pushed_.close();
  thread_.request_stop();
  thread_.join();
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

void ServedPipeline::fail(const std::string& what) {
  pushed_.close();
  const std::string failure = fmt::format("pipeline {}: {}", name_, what);
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
  }
  woken_.notify_all();
  changes_.publish(json_text({{"pipeline", name_}, {"failure", failure}}));
  notice_(what);
}

// --- the pipeline thread

std::vector<Decision> ServedPipeline::on_pipeline_thread(Decide run) {
  std::future<std::vector<Decision>> done;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Error(ErrorKind::unavailable, *failure_);
    if (closed_) throw Error(ErrorKind::unavailable, "the service is stopping");
    jobs_.push_back({std::move(run), {}});
    done = jobs_.back().done.get_future();
  }
  woken_.notify_all();
  return done.get();
}

void ServedPipeline::run_jobs() {
  for (;;) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      std::vector<Decision> decisions = job.run();
      publish(true);  // whoever gave the command sees what it did
      job.done.set_value(std::move(decisions));
    } catch (const Error& error) {
      job.done.set_exception(std::current_exception());
      if (error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::corrupt) throw;
    } catch (const std::exception& error) {
      // Half a command may be done: nothing goes on from that but a new start.
      job.done.set_exception(std::make_exception_ptr(
          Error(ErrorKind::corrupt, fmt::format("the command broke off: {}", error.what()))));
      throw;
    }
  }
}

std::vector<Decision> ServedPipeline::news() {
  std::vector<Decision> decisions = open_->pipeline.take_news();
  for (const Decision& decision : decisions) viewer_->note(decision);
  return decisions;
}

void ServedPipeline::pipeline_loop(const std::stop_token& stop) {
  try {
    go_through(stop);
    ingest_.join();  // it ends with what was pushed
    // The log is durable: what was not gone through yet is, by the next start.
    open_->pipeline.drain();
    open_->pipeline.checkpoint();
    open_->journal.settle();
    publish(true);
  } catch (const std::exception& error) {
    fail(error.what());
    if (ingest_.joinable()) ingest_.join();
  }
  pushed_.abandon(std::make_exception_ptr(
      Error(ErrorKind::unavailable, failure().value_or("the service is stopping"))));
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    left.swap(jobs_);
  }
  for (Job& job : left) {
    job.done.set_exception(std::make_exception_ptr(
        Error(ErrorKind::unavailable, failure().value_or("the service is stopping"))));
  }
}

void ServedPipeline::go_through(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const auto why = failure()) throw Error(ErrorKind::unavailable, *why);
    if (ingests_) run_jobs();
    const std::uint64_t head = open_->log->head();
    const bool more = open_->pipeline.advance(head, kMostSegments);
    gone_through_ = open_->pipeline.position();
    publish(false);
    if (!more) wait_for_more(stop, head);
  }
}

void ServedPipeline::wait_for_more(const std::stop_token& stop, std::uint64_t head) {
  std::unique_lock lock(mutex_);
  woken_.wait_until(lock, stop, view_due(), [&] {
    return (ingests_ && !jobs_.empty()) || failure_ || open_->log->head() > head;
  });
}

// A stream that rests is looked at now and then, for its rate; one that moves at once.
Clock::time_point ServedPipeline::view_due() const {
  const bool moved =
      open_->pipeline.position() != seen_position_ || open_->log->head() != seen_head_;
  return published_ + (moved ? kViewEvery : kRestEvery);
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
  if (outbox_) outbox_->reach(view->last_decision, *open_->store);
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
