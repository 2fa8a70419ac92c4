#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/changes.h"
#include "orchestrator/open_pipeline.h"
#include "orchestrator/outbox.h"
#include "orchestrator/pipeline_view.h"
#include "orchestrator/predictor.h"
#include "stream/open_source.h"
#include "stream/push_source.h"

namespace freshet {

/// What somebody who runs a service ought to know, in a line; called by any thread.
using Notice = std::function<void(const std::string& text)>;

/// How a pipeline of a service is fed beside what is pushed into it.
struct FeedOptions {
  std::vector<InputSpec> inputs;  ///< files, one after another
  double speed = 0;               ///< records a second at most; 0: as fast as they come
};

/// A pipeline that runs in a service: an ingest thread appends what is pushed and what its sources
/// give, a pipeline thread goes through the log and carries out commands, and any thread asks for
/// answers, gives commands and looks at how it stands. Brokers lost and found again, and failures,
/// are noticed. Thread-safe.
///
/// A failure of the disk or the log ends the two threads' work: `failure` says why, appends and
/// commands are refused with it, and the champion goes on answering. If nothing failed but for want
/// of room, the pipeline is opened anew, as by a start, once 64 MiB are free; otherwise by the next
/// start. Either goes on from what is durable.
class ServedPipeline {
 public:
  /// Opens the pipeline (see OpenPipeline) and starts. The workspace and `changes` must outlive it.
  ServedPipeline(Workspace& workspace, const std::string& name,
                 const std::optional<PipelineConfig>& file, FeedOptions feed, Changes& changes,
                 Notice notice);
  ~ServedPipeline();
  ServedPipeline(const ServedPipeline&) = delete;
  ServedPipeline& operator=(const ServedPipeline&) = delete;

  /// Finishes what was pushed, goes through the log as far as it has come, checkpoints; `failure`
  /// says if that went wrong. Nothing is taken any more. By the owner, whom the destructor spares
  /// it.
  void end();

  const std::string& name() const { return name_; }
  const Schema& schema() const { return schema_; }

  /// Appends JSON lines (events, or label records only), durable on return; see PushSource.
  /// nullopt: the queue is full, come again.
  std::optional<std::vector<LineResult>> append(std::string lines, bool labels_only);

  struct PredictOptions {
    bool record = true;    ///< the question is recorded, and the answer counts once it has a label
    bool durable = false;  ///< return when it is
  };
  struct Prediction {
    Answer answer;
    std::optional<LineResult> recorded;  ///< with `durable`: what became of the question
  };
  /// The champion's answers to raw events (JSON objects), with its features as of now. Throws
  /// Error{invalid} naming event and field, and Error{unavailable} with the rows still missing
  /// before the first champion. nullopt: the questions can't be recorded now, come again.
  std::optional<std::vector<Prediction>> predict(const std::vector<std::string>& events,
                                                 const PredictOptions& options);

  /// A command takes effect at the pipeline's position and is durable on return; gives its
  /// decisions. `expected_champion`: Error{conflict} unless this version is the champion then (0:
  /// none is). Throws as Pipeline's commands do, with nothing changed.
  std::vector<Decision> command(CommandRecord record,
                                std::optional<std::uint64_t> expected_champion = std::nullopt);
  /// Puts another config in force, as `pipeline apply` does. `expected_hash`: Error{conflict}
  /// unless the config in force has it.
  std::vector<Decision> apply(const PipelineConfig& config, const std::string& reason,
                              const std::optional<std::string>& expected_hash = std::nullopt);

  /// As OpenPipeline::erase. Commands given meanwhile wait for it.
  Erased erase(const EraseRequest& request);

  /// How it stands, at most 0.15 s old.
  std::shared_ptr<const PipelineView> view() const;
  std::optional<std::string> failure() const;
  /// Whether events are taken: it has not failed, and knows the ids that it must.
  bool takes_events() const { return ingests_ && !failure(); }
  /// Why the input that feeds it ended before its time; what is pushed goes on.
  std::optional<std::string> feed_failure() const;
  /// How the source that feeds it stood, at most a second ago.
  SourceState feed_state() const;
  /// How what it publishes stands; nullopt: its config has no sink.
  std::optional<Outbox::State> sink_state() const;
  /// Records that wait to be appended, and their bytes.
  std::size_t queued() const { return pushed_.waiting(); }
  std::size_t queued_bytes() const { return pushed_.waiting_bytes(); }
  /// Events it answered since it was opened.
  std::uint64_t predictions() const { return predictions_; }
  const WorkTimes& times() const { return times_; }

 private:
  static constexpr std::size_t kMostSegments = 16;  ///< between two looks at commands

  using Decide = std::function<std::vector<Decision>()>;
  struct Job {
    Decide run;
    std::promise<std::vector<Decision>> done;
  };

  RunKnobs knobs();
  void ingest_loop();
  std::unique_ptr<Source> open_feed(std::size_t index);
  void note_feed_state(const Source* feed);
  void note_feed_failure(const std::string& what);
  void start_ingest();
  void pipeline_loop(const std::stop_token& stop);
  void run(const std::stop_token& stop);
  void refuse_what_waits();
  bool wait_for_room(const std::stop_token& stop);
  bool open_again(const std::stop_token& stop);
  void open_viewer();
  void go_through(const std::stop_token& stop);
  void wait_for_more(const std::stop_token& stop, std::uint64_t head);
  std::chrono::steady_clock::time_point view_due() const;
  void run_jobs();
  std::vector<Decision> on_pipeline_thread(Decide run);
  std::vector<Decision> news();
  void publish(bool now);
  std::shared_ptr<const FeatureSet> features_of(const ServedRevision& revision);
  void fail(const std::exception& error, const std::string& doing = "");
  void check_running() const;

  Workspace& workspace_;
  const std::string name_;
  const FeedOptions feed_;
  Changes& changes_;
  const Notice notice_;
  WorkTimes times_;
  std::atomic<std::uint64_t> predictions_{0};
  std::unique_ptr<OpenPipeline> open_;    ///< the pipeline thread's; its `log` the ingest thread's
  std::unique_ptr<EventLog> counts_log_;  ///< the pipeline thread's, for views
  const Schema schema_;                   ///< never changes in a workspace
  PushSource pushed_;
  std::unique_ptr<Predictor> predictor_;
  std::shared_ptr<const FeatureSet> features_;  ///< what the champion answers from
  std::uint64_t features_version_ = 0;          ///< that champion
  std::uint64_t served_key_ = 0;                ///< of them
  std::unique_ptr<PipelineViewer> viewer_;      ///< the pipeline thread's
  std::chrono::steady_clock::time_point published_;
  std::uint64_t seen_position_ = 0;  ///< as published
  std::uint64_t seen_head_ = 0;
  std::string last_change_;

  std::atomic<std::uint64_t> gone_through_ = 0;  ///< log records below it

  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  std::deque<Job> jobs_;  ///< under mutex_
  std::atomic<bool> ending_ = false;
  std::atomic<bool> ingests_ = false;         ///< the ids in the log are known: jobs may rewrite it
  bool closed_ = false;                       ///< under mutex_: takes no more jobs
  std::shared_ptr<const PipelineView> view_;  ///< under mutex_
  std::optional<std::string> failure_;        ///< under mutex_
  bool only_room_ = true;                     ///< under mutex_: is all that ever failed
  std::optional<std::string> feed_failure_;   ///< under mutex_
  SourceState feed_state_;                    ///< under mutex_
  std::chrono::steady_clock::time_point feed_looked_at_;  ///< the ingest thread's

  std::unique_ptr<Outbox> outbox_;  ///< null: there is no sink

  std::jthread ingest_;  ///< joined by the pipeline thread
  std::jthread thread_;
};

}  // namespace freshet
