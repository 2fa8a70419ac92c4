#include "orchestrator/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/command_support.h"
#include "orchestrator/config_recorded.h"
#include "orchestrator/demo_config.h"
#include "orchestrator/disk_use.h"
#include "orchestrator/progress.h"
#include "orchestrator/summary.h"
#include "orchestrator/terminal.h"
#include "stream/demo_source.h"
#include "stream/ingest.h"
#include "stream/kafka_source.h"

namespace freshet {

std::atomic<bool> stop_requested = false;
std::atomic<bool> answer_awaited = false;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kKafkaPatience{30};

/// Fills the log on a thread of its own while the pipeline reads it.
class IngestThread {
 public:
  IngestThread(const RunOptions& options, const PipelineConfig& config, EventLog& log)
      : options_(options), config_(config), log_(log), thread_([this] { ingest(); }) {}

  bool ended() const { return ended_.load(std::memory_order_acquire); }
  /// Rethrows what ended the ingestion early.
  void join() {
    if (thread_.joinable()) thread_.join();
    if (error_) std::rethrow_exception(error_);
  }
  ~IngestThread() {
    cancelled_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void ingest() {
    try {
      if (!options_.from_log.empty()) {
        copy_log();
      } else {
        Ingest ingest(config_.schema, log_);
        if (config_.source_kind == "demo" && options_.inputs.empty()) pump_demo(ingest);
        if (config_.source_kind == "kafka" && options_.inputs.empty()) pump_kafka(ingest);
        for (const InputSpec& input : options_.inputs) pump(ingest, input);
        if (options_.final && !stopping()) ingest.close();
      }
    } catch (...) {
      error_ = std::current_exception();
    }
    ended_.store(true, std::memory_order_release);
  }

  void pump_demo(Ingest& ingest) {
    const auto source = demo_source({config_.demo_seed, config_.demo_events}, config_.schema,
                                    log_.progress("demo"));
    pump(ingest, *source);
  }

  void pump_kafka(Ingest& ingest) {
    KafkaReading reading;
    reading.group = kafka_group(config_.pipeline);
    reading.until_end = !options_.follow;
    if (!options_.follow) reading.give_up_after = kKafkaPatience;
    reading.sync = [this] { log_.sync(); };
    reading.notice = [](const std::string& text) { say("{}\n", text); };
    const auto source = kafka_source(config_.kafka, config_.schema, log_.all_progress(), reading);
    pump(ingest, *source);
  }

  void pump(Ingest& ingest, const InputSpec& input) {
    auto source = open_source(input, config_.schema, log_.progress(input.name));
    if (!options_.labels.empty()) {
      InputSpec labels;
      labels.name = options_.labels;
      labels.labels_only = true;
      source = merge_sources(std::move(source),
                             open_source(labels, config_.schema, log_.progress(labels.name)),
                             config_.schema);
    }
    pump(ingest, *source);
  }

  void pump(Ingest& ingest, Source& source) {
    while (!stopping() && ingest.pump(source, options_.knobs.read_chunk) != PollStatus::ended) {
      log_.drop();
    }
  }

  void copy_log() {
    const Workspace from = Workspace::open(options_.from_log, Workspace::Mode::read);
    const auto source = EventLog::open_reader(from.log_path(config_.pipeline));
    // Answers of another config's champion are not this one's: its questions are asked anew.
    const auto recorded = from.registry().config(config_.pipeline);
    const bool same = recorded && parse_recorded_config(*recorded, "recorded config") == config_;
    Event event;
    while (log_.head() < source->head() && !stopping()) {
      LogBatch batch;
      source->read(log_.head(), std::min(source->head(), log_.head() + options_.knobs.read_chunk),
                   [&](std::uint64_t, std::string_view record) {
                     if (!same) decode(record, config_.schema, event);
                     if (same || !event.served) {
                       batch.records.emplace_back(record);
                     } else {
                       event.served.reset();
                       encode(event, config_.schema, batch.records.emplace_back());
                     }
                     return true;
                   });
      log_.append(batch);
    }
    if (log_.head() == source->head()) copy_seen(*source);
  }

  // What was erased is known by the hashes of its ids alone: it must not come back.
  void copy_seen(const EventLog& source) {
    const auto known = log_.seen_before(EventLog::kNewest);
    const std::uint64_t end = known ? known->end : 0;
    std::vector<SeenStretch> newer;  // newest first
    auto stored = source.seen_before(log_.head() + 1);
    for (; stored && stored->end > end; stored = source.seen_before(stored->end)) {
      newer.push_back(*stored);
    }
    for (auto stretch = newer.rbegin(); stretch != newer.rend(); ++stretch) {
      LogBatch batch;
      batch.seen = std::move(*stretch);
      log_.append(batch);
    }
  }

  bool stopping() const { return stop_requested || cancelled_; }

  const RunOptions& options_;
  const PipelineConfig& config_;
  EventLog& log_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> ended_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

// Without a config to run it under, a copied log is replayed as it was: from its first config on,
// with its commands.
void copy_past(const RunOptions& options, Workspace& workspace) {
  const Workspace from = Workspace::open(options.from_log, Workspace::Mode::read);
  const std::string name = choose_pipeline(from.registry(), "");
  Registry& registry = workspace.registry();
  if (!registry.config(name)) {
    registry.set_config(name, write_config(first_config(from.registry(), name)));
  }
  if (registry.checkpoint(name)) return;
  const std::vector<CommandRecord> commands = from.registry().commands(name);
  for (std::size_t i = registry.commands(name).size(); i < commands.size(); ++i) {
    registry.add_command(name, commands[i]);
  }
}

// The records that are left of an erased event teach other weights than it did.
void warn_of_erased(const RunOptions& options, const std::string& name) {
  const Workspace from = Workspace::open(options.from_log, Workspace::Mode::read);
  for (const Decision& decision : from.registry().decisions(name)) {
    if (decision.kind != "erased") continue;
    say("warning: events were erased from this log (decision {}): what comes out now is not "
        "what came out then, and a copied command may find no version to act on; a config "
        "file runs without the commands\n",
        decision.sequence);
    return;
  }
}

std::string pipeline_name(Workspace& workspace, const std::optional<PipelineConfig>& file) {
  if (file) return file->pipeline;
  const std::vector<std::string> names = workspace.registry().pipelines();
  if (names.size() == 1) return names.front();
  throw Error(ErrorKind::invalid,
              names.empty() ? "the workspace has no pipeline yet: give a config file"
                            : "the workspace has several pipelines: give a config file to say "
                              "which one runs");
}

void go_through(OpenPipeline& open, IngestThread& ingest, Progress& progress, DiskWatch& disk) {
  while (!stop_requested) {
    const bool ended = ingest.ended();  // before the head: nothing may slip between
    const bool more = open.pipeline.advance(open.log->head(), 16);
    for (const Decision& decision : open.pipeline.take_news()) progress.decision(decision);
    progress.update(open.pipeline, open.log->head());
    if (const auto warning = disk.news()) say("warning: {}\n", *warning);
    if (more) continue;
    if (ended) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace

int run(const RunOptions& options) {
  std::optional<PipelineConfig> file;
  if (!options.config_path.empty()) file = read_config(options.config_path);
  if (options.demo) file = parse_config(demo_config(), "demo config");
  // Without a config nothing is made of a folder that is no workspace.
  if (!file && options.from_log.empty()) Workspace::open(options.workspace, Workspace::Mode::read);
  Workspace workspace = Workspace::open(options.workspace, Workspace::Mode::own);
  if (!file && !options.from_log.empty()) copy_past(options, workspace);
  const std::string name = pipeline_name(workspace, file);
  if (!options.from_log.empty()) warn_of_erased(options, name);
  OpenPipeline open(workspace, name, file, options.knobs);
  if (options.inputs.empty() && options.from_log.empty() && open.config.source_kind == "file" &&
      !options.final) {
    throw Error(ErrorKind::invalid,
                "nothing to read: give --input FILE (or - for standard input) or --from-log W");
  }
  const std::uint64_t head_before = open.log->head();
  const std::uint64_t records_before = open.log->ordinals();
  const std::uint64_t rows_before = open.pipeline.rows();
  const auto started = Clock::now();
  Progress progress(isatty(STDERR_FILENO) != 0, rows_before);
  bool ingest_failed = false;
  std::string ingest_error;
  {
    IngestThread ingest(options, open.config, *open.log);
    DiskWatch disk(options.workspace);
    go_through(open, ingest, progress, disk);
    try {
      ingest.join();
    } catch (const std::exception& error) {
      ingest_failed = true;
      ingest_error = error.what();
    }
    if (!stop_requested) {
      while (open.pipeline.advance(open.log->head(), 64)) {
      }
    }
  }
  for (const Decision& decision : open.pipeline.take_news()) progress.decision(decision);
  open.pipeline.checkpoint();
  open.journal.settle();
  while (open.log->drop()) {
  }
  progress.finish();
  if (ingest_failed) throw Error(ErrorKind::unavailable, ingest_error);
  if (stop_requested) {
    say("stopped at log position {}, row {}: all is kept; the same command goes on from "
        "here\n",
        open.pipeline.position(), open.pipeline.rows());
  } else if (open.log->head() == head_before && open.log->ordinals() == records_before) {
    say("nothing new in the input: {}\n",
        records_before == 0 ? "it holds no records" : "all of it was read before");
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
  const nlohmann::json summary = run_summary(open, workspace, seconds, rows_before);
  if (options.json) {
    fmt::print("{}\n", summary.dump(2));
  } else {
    fmt::print("{}", summary_text(summary));
  }
  return 0;
}

}  // namespace freshet
