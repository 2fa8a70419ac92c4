#include "orchestrator/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/predictor.h"
#include "orchestrator/registry_json.h"
#include "stream/error.h"

namespace freshet {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kServe{20};
constexpr milliseconds kRest{200};
constexpr milliseconds kMarkEvery{1000};
constexpr milliseconds kFlushEvery{1000};
constexpr milliseconds kFarewell{2000};  // for what is on its way when the service stops
constexpr milliseconds kFirstPause{1000};
constexpr milliseconds kLongestPause{60'000};
constexpr std::uint64_t kMostQuestions = 1024;
constexpr std::size_t kDecisions = 0;
constexpr std::size_t kPredictions = 1;

}  // namespace

Outbox::Outbox(Workspace& workspace, const std::string& pipeline, const PipelineConfig& config,
               KafkaSink::Notice notice)
    : workspace_(workspace),
      pipeline_(pipeline),
      schema_(config.schema),
      output_(config.sink.value()),
      mark_path_(workspace.outbox_path(pipeline)),
      notice_(std::move(notice)),
      log_(EventLog::open_reader(workspace.log_path(pipeline))),
      lines_{Line{"decisions", output_.decisions}, Line{"predictions", output_.predictions}} {
  read_mark();
  start_again("");
  show();
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

Outbox::~Outbox() {
  thread_.request_stop();
  woken_.notify_all();
}

// Answers wait in memory for a full chunk, or a checkpoint, unless somebody is to see them. What a
// power cut may take from the log is published to nobody: its ids come again, for other events.
void Outbox::reach(std::uint64_t decisions, EventLog& log, RowStore& rows) {
  decisions_ = decisions;
  if (!output_.predictions.empty() && Clock::now() >= flushed_ + kFlushEvery) {
    flushed_ = Clock::now();
    rows.flush();
    log.sync();
    questions_ = rows.answered("served").second;
  }
  woken_.notify_all();
}

Outbox::State Outbox::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Outbox::read_again() {
  std::unique_lock lock(mutex_);
  read_again_ = true;
  woken_.notify_all();
  woken_.wait(lock, [&] { return over_ || !read_again_; });
}

void Outbox::take_back() {
  {
    const std::lock_guard lock(mutex_);
    if (!read_again_) return;
  }
  drop_sink();
  log_->forget_read();
  {
    const std::lock_guard lock(mutex_);
    read_again_ = false;
  }
  woken_.notify_all();
}

void Outbox::drop_sink() {
  sink_.reset();
  for (Line& line : lines_) line.offered = line.delivered;
}

void Outbox::loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    round();
    if (sink_ && sink_->on_their_way() > 0) continue;
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, stop, kRest, [] { return false; });
  }
  round();
  for (const auto end = Clock::now() + kFarewell;
       sink_ && sink_->on_their_way() > 0 && sink_->trouble().empty() && Clock::now() < end;) {
    sink_->serve(kServe);
    note_delivered();
  }
  try {
    write_mark();
  } catch (const Error&) {
    // What was delivered since the last mark is delivered again.
  }
  const std::lock_guard lock(mutex_);
  over_ = true;
  woken_.notify_all();
}

// Whatever goes wrong here is shown and tried again: the pipeline goes on without it.
void Outbox::round() {
  take_back();
  try {
    if (!sink_) {
      if (Clock::now() < try_at_) return;
      sink_ = std::make_unique<KafkaSink>(output_, pipeline_, notice_);
    }
    if (!output_.decisions.empty()) offer_decisions();
    if (!output_.predictions.empty()) offer_predictions();
    sink_->serve(sink_->on_their_way() > 0 ? kServe : milliseconds(0));
    note_delivered();
    if (Clock::now() >= marked_at_ + kMarkEvery) write_mark();
    if (!sink_->failure().empty()) start_again(sink_->failure());
  } catch (const std::exception& error) {
    start_again(error.what());
  }
  show();
}

void Outbox::offer_decisions() {
  Line& line = lines_[kDecisions];
  line.there = std::max<std::uint64_t>(line.there, decisions_);
  if (line.offered >= line.there || sink_->full()) return;
  std::vector<Decision> all;
  {
    const auto lock = workspace_.use_registry();
    all = workspace_.registry().decisions(pipeline_);
  }
  for (const Decision& decision : all) {
    if (decision.sequence <= line.offered) continue;
    const std::string id = fmt::format("{}/decision/{}", pipeline_, decision.sequence);
    json value = decision_json(decision);
    value["id"] = id;
    value["pipeline"] = pipeline_;
    const bool taken = sink_->offer({line.topic,
                                     id,
                                     json_text(value),
                                     {{"id", id}, {"pipeline", pipeline_}, {"kind", decision.kind}},
                                     decision.sequence});
    if (!taken) return;
    line.offered = decision.sequence;
  }
}

void Outbox::offer_predictions() {
  Line& line = lines_[kPredictions];
  line.there = std::max<std::uint64_t>(line.there, questions_);
  if (line.offered >= line.there || sink_->full()) return;
  const auto rows = RowStore::open_reader(workspace_.rows_path(pipeline_));
  const auto [begin, end] = rows->answered("served");
  line.offered = std::max(line.offered, begin);
  line.there = std::max(line.there, end);
  while (line.offered < end && !sink_->full()) {
    const std::uint64_t before = line.offered;
    offer_questions(*rows, before, std::min(end, before + kMostQuestions));
    sink_->serve(milliseconds(0));
    if (line.offered == before) return;
  }
}

void Outbox::offer_questions(RowStore& rows, std::uint64_t begin, std::uint64_t end) {
  Line& line = lines_[kPredictions];
  const std::size_t width = answer_width(schema_);
  std::vector<float> answers((end - begin) * width);
  rows.read_answers("served", begin, end, answers.data());
  Event event;
  for (std::uint64_t question = begin; question < end; ++question) {
    const std::uint64_t position = rows.position(question);
    event = Event();
    std::shared_ptr<const RecordBatch> batch;  // what `event` views
    if (position >= log_->begin()) {
      batch = log_->batch(position);
      decode(batch->record(position), schema_, event);
    }
    Answer answer;
    const auto at = answers.begin() + static_cast<std::ptrdiff_t>((question - begin) * width);
    answer.values.assign(at, at + static_cast<std::ptrdiff_t>(width));
    json value = answer_json(answer, schema_);
    value.erase("revision");
    if (event.served) {
      value["revision"] = fmt::format("{}@{}", event.served->version, event.served->row);
    }
    const std::string id = fmt::format("{}/prediction/{}", pipeline_, position);
    value.update({{"id", id},
                  {"pipeline", pipeline_},
                  {"position", position},
                  {"event", batch ? json(std::string(event.id)) : json()},
                  {"time", format_time(rows.time(question))}});
    const std::vector<std::pair<std::string, std::string>> headers = {{"id", id},
                                                                      {"pipeline", pipeline_}};
    if (!sink_->offer({line.topic, id, json_text(value), headers, question + 1})) return;
    line.offered = question + 1;
  }
}

void Outbox::note_delivered() {
  if (!sink_) return;
  for (Line& line : lines_) {
    const std::uint64_t delivered = sink_->delivered(line.topic);
    if (delivered > line.delivered) {
      line.delivered = delivered;
      pause_ = milliseconds(0);
      failure_.clear();
      told_.clear();
    }
  }
}

void Outbox::start_again(const std::string& why) {
  failure_ = why;
  if (!why.empty() && why != told_) notice_(fmt::format("Kafka sink: {}; trying again", why));
  if (!why.empty()) told_ = why;
  drop_sink();
  try_at_ = Clock::now() + pause_;
  pause_ = std::clamp(2 * pause_, kFirstPause, kLongestPause);
}

// A registry that is older than the mark, restored from a backup, counts anew.
void Outbox::read_mark() {
  marked_ = read_outbox_mark(mark_path_);
  const auto lock = workspace_.use_registry();
  const auto all = workspace_.registry().decisions(pipeline_);
  const std::uint64_t last = all.empty() ? 0 : all.back().sequence;
  decisions_ = last;
  lines_[kDecisions].there = last;
  lines_[kDecisions].delivered = std::min(marked_.decisions, last);
  lines_[kPredictions].delivered = marked_.predictions;
}

void Outbox::write_mark() {
  marked_at_ = Clock::now();
  const OutboxMark mark{lines_[kDecisions].delivered, lines_[kPredictions].delivered};
  if (marked_ == mark) return;
  write_outbox_mark(mark_path_, mark);
  marked_ = mark;
}

void Outbox::show() {
  State state;
  state.trouble = !failure_.empty() ? failure_ : sink_ ? sink_->trouble() : "";
  for (const Line& line : lines_) {
    if (line.topic.empty()) continue;
    state.topics.push_back(
        {line.kind, line.topic, line.delivered, line.there - std::min(line.there, line.delivered)});
  }
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
}

}  // namespace freshet
