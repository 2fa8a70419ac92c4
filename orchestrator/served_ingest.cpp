// The ingest thread of a pipeline that is served.
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/registry_json.h"
#include "orchestrator/served_pipeline.h"
#include "stream/demo_source.h"
#include "stream/ingest.h"
#include "stream/kafka_source.h"
#include "stream/paced_source.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kIdle{50};
constexpr std::chrono::milliseconds kFeedLookEvery{500};
constexpr std::size_t kIngestChunk = 4096;
constexpr std::uint64_t kMostLead = 262'144;  // records that a feed is ahead of the pipeline

}  // namespace

std::unique_ptr<Source> ServedPipeline::open_feed(std::size_t index) {
  const PipelineConfig& config = open_->config;
  EventLog& log = *open_->log;
  std::unique_ptr<Source> source;
  if (feed_.inputs.empty() && config.source_kind == "demo" && index == 0) {
    source = demo_source({config.demo_seed, config.demo_events}, schema_, log.progress("demo"));
  } else if (feed_.inputs.empty() && config.source_kind == "kafka" && index == 0) {
    KafkaReading reading;
    reading.group = kafka_group(name_);
    reading.notice = notice_;
    reading.sync = [&log] { log.sync(); };
    source = kafka_source(config.kafka, schema_, log.all_progress(), std::move(reading));
  } else if (index < feed_.inputs.size()) {
    const InputSpec& input = feed_.inputs[index];
    source = open_source(input, schema_, log.progress(input.name));
  }
  if (source && feed_.speed > 0) {
    source = std::make_unique<PacedSource>(std::move(source), feed_.speed);
  }
  return source;
}

void ServedPipeline::ingest_loop() {
  Ingest ingest(schema_, *open_->log);
  {
    const std::lock_guard lock(mutex_);
    ingests_ = true;
  }
  woken_.notify_all();
  std::size_t next = 0;
  bool feeding = true;
  std::unique_ptr<Source> feed;
  PollStatus pushed = PollStatus::idle;
  // A service that stops closes `pushed_`; what it took is finished.
  while (pushed != PollStatus::ended) {
    const std::uint64_t before = open_->log->head();
    PollStatus fed = PollStatus::idle;
    // A file may be read faster than it is learned from; what is pushed has clients who wait.
    const bool leads = before > gone_through_ + kMostLead;
    if (feeding && !leads) {
      try {
        if (!feed) feed = open_feed(next++);
        feeding = feed != nullptr;
        if (feed) fed = ingest.pump(*feed, kIngestChunk);
        note_feed_state(feed.get());
        if (fed == PollStatus::ended) feed.reset();
      } catch (const Error& error) {
        // An input that can't be read ends; what is pushed goes on.
        if (error.kind() == ErrorKind::unavailable || ingest.log_failed()) throw;
        note_feed_failure(error.what());
        feeding = false;
        feed.reset();
      }
    }
    pushed_.wait_at_most(!feeding                   ? kIdle
                         : fed == PollStatus::ready ? std::chrono::milliseconds(0)
                                                    : std::chrono::milliseconds(5));
    pushed = pushed_.pump(ingest, kIngestChunk);
    if (open_->log->head() == before) {
      open_->log->drop();
      continue;
    }
    {
      // Nobody is between a look at the head and the wait for more: the wake-up is not lost.
      const std::lock_guard lock(mutex_);
    }
    woken_.notify_all();
  }
}

void ServedPipeline::note_feed_state(const Source* feed) {
  if (feed == nullptr || Clock::now() < feed_looked_at_ + kFeedLookEvery) return;
  feed_looked_at_ = Clock::now();
  SourceState state = feed->state();
  const std::lock_guard lock(mutex_);
  feed_state_ = std::move(state);
}

void ServedPipeline::note_feed_failure(const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    feed_failure_ = what;
  }
  changes_.publish(json_text({{"pipeline", name_}, {"input", what}}));
  notice_(what);
}

}  // namespace freshet
