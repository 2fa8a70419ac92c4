#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/config.h"
#include "orchestrator/outbox_mark.h"
#include "orchestrator/workspace.h"
#include "stream/event_log.h"
#include "stream/kafka_sink.h"
#include "stream/row_store.h"

namespace freshet {

/// Publishes a pipeline's decisions and predictions to Kafka, each at least once and in order, on a
/// thread of its own that nothing waits for.
///
/// There is no queue on disk: decisions stand in the registry by number, the champion's answers in
/// the row store by question, and `outbox.json` in the pipeline's folder says how far each was
/// acknowledged. After whatever kind of end the rest is published, perhaps some of it again, under
/// the same ids: PIPELINE/decision/SEQUENCE and PIPELINE/prediction/POSITION.
class Outbox {
 public:
  /// The workspace must outlive it. `notice` hears of brokers lost and found again, and of each
  /// failure, once until it is another one or something is delivered: of a record that is refused,
  /// of a secret that can't be found. All of them are tried again. Throws Error{corrupt} for an
  /// `outbox.json` that is none.
  Outbox(Workspace& workspace, const std::string& pipeline, const PipelineConfig& config,
         KafkaSink::Notice notice);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// How far there is something to publish, by the thread that uses `rows`: it flushes them, and
  /// syncs the log, once a second if answers are to be published.
  void reach(std::uint64_t decisions, EventLog& log, RowStore& rows);

  /// Takes back what waits to be sent and reads it from the log again, which was rewritten: what it
  /// was is not sent after the return. Waits for the outbox's thread. By the thread of `reach`.
  void read_again();

  struct Topic {
    std::string kind;             ///< decisions, predictions
    std::string topic;            ///< its name
    std::uint64_t delivered = 0;  ///< acknowledged since the pipeline began
    std::uint64_t waiting = 0;
  };
  struct State {
    std::string trouble;  ///< why nothing is acknowledged; empty: all is well
    std::vector<Topic> topics;
  };
  /// By any thread.
  State state() const;

 private:
  /// One kind of records: those numbered up to `there` exist, up to `offered` the sink has them.
  struct Line {
    const char* kind;
    std::string topic;
    std::uint64_t there = 0;
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
  };

  void loop(const std::stop_token& stop);
  void round();
  void take_back();
  void drop_sink();
  void offer_decisions();
  void offer_predictions();
  void offer_questions(RowStore& rows, std::uint64_t begin, std::uint64_t end);
  void note_delivered();
  void start_again(const std::string& why);
  void read_mark();
  void write_mark();
  void show();

  Workspace& workspace_;
  const std::string pipeline_;
  const Schema schema_;
  const KafkaOutput output_;
  const std::string mark_path_;
  const KafkaSink::Notice notice_;
  std::unique_ptr<EventLog> log_;    ///< the thread's
  std::unique_ptr<KafkaSink> sink_;  ///< the thread's
  std::string failure_;              ///< the thread's: of the sink before this one
  std::string told_;                 ///< the thread's: the failure that `notice_` heard of last
  std::array<Line, 2> lines_;        ///< the thread's: decisions, predictions
  OutboxMark marked_;                ///< the thread's: as the file has it
  std::chrono::steady_clock::time_point marked_at_;
  std::chrono::steady_clock::time_point try_at_;
  std::chrono::milliseconds pause_{0};

  std::chrono::steady_clock::time_point flushed_;  ///< by who calls `reach`
  std::atomic<std::uint64_t> decisions_{0};
  std::atomic<std::uint64_t> questions_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  State state_;              ///< under mutex_
  bool read_again_ = false;  ///< under mutex_: asked for, and not done yet
  bool over_ = false;        ///< under mutex_: the thread sends no more
  std::jthread thread_;
};

}  // namespace freshet
