#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "stream/ingest.h"
#include "stream/jsonl_source.h"
#include "stream/source.h"

namespace freshet {

/// What became of one line that was pushed.
struct LineResult {
  std::uint64_t line = 0;  ///< 1-based, blank lines counted
  Outcome outcome = Outcome::accepted;
  std::string reason;  ///< why not; empty if accepted
};

/// A source that records are pushed into by any thread, as JSON lines, and told what became of
/// them once that is durable.
///
///   auto pushed = source.push({.lines = body});           // any thread
///   if (!pushed) …;                                       // full: come again
///   for (const LineResult& result : pushed->get()) …;     // throws what the log threw
///
/// The ingest thread, for ever:
///   source.pump(ingest);                                  // waits for records, one append for all
///
/// What is pushed while an append goes on is appended together after it. Thread-safe.
class PushSource : public Source {
 public:
  struct Limits {
    std::size_t bytes = std::size_t{64} << 20;  ///< waiting, in all
    std::chrono::milliseconds gather{15};       ///< how long what is not urgent may wait for more
  };

  /// A question's answer, given before the question is logged; see ServedAnswer.
  struct Served {
    std::uint64_t position = 0;
    std::uint64_t version = 0;
    std::uint64_t row = 0;
    std::vector<float> vector;
    std::vector<float> answer;
    std::uint64_t features = 0;
  };

  struct Submission {
    std::string lines;
    bool labels_only = false;
    bool urgent = true;          ///< somebody waits for it
    std::vector<Served> served;  ///< none, or one for each line
  };

  /// `name` is what dead letters call it.
  PushSource(const Schema& schema, std::string name, Limits limits);
  PushSource(const Schema& schema, std::string name) : PushSource(schema, std::move(name), {}) {}
  ~PushSource() override;

  /// nullopt when the queue is full. After `close` throws Error{unavailable}.
  std::optional<std::future<std::vector<LineResult>>> push(Submission submission);
  /// Nothing more is taken; what was taken is still pumped, until `poll` says `ended`.
  void close();
  /// Nothing more is taken, and whoever waits gets `why`. Not while it is pumped.
  void abandon(const std::exception_ptr& why);
  /// After `abandon`: records are taken again.
  void open();

  /// How long a poll waits for records (default 50 ms). For the ingest thread.
  void wait_at_most(std::chrono::milliseconds wait) { wait_ = wait; }

  /// Submissions and bytes that wait.
  std::size_t waiting() const;
  std::size_t waiting_bytes() const;

  /// One `Ingest::pump` of this source; then whoever pushed hears of it. A refusal of too many
  /// bad records doesn't end this source: each line's pusher is told. Throws what the log throws,
  /// after having told the pushers. `ingest` tells its outcomes to this source.
  PollStatus pump(Ingest& ingest, std::size_t max_records);

  PollStatus poll(std::size_t max_records, RecordSink& sink) override;
  std::vector<SourceProgress> progress() const override { return {}; }
  /// Each pusher is told: bad records end nothing.
  bool ends_on_bad_records() const override { return false; }

 private:
  struct Entry {
    Submission submission;
    std::chrono::steady_clock::time_point since;
    std::promise<std::vector<LineResult>> done;
    std::vector<LineResult> results;
  };

  bool due() const;
  std::size_t hand_over(Entry& entry, RecordSink& sink);
  void settle(const std::exception_ptr& failure);

  const std::string name_;
  const Limits limits_;
  JsonlDecoder events_;
  JsonlDecoder labels_;
  Event event_;
  std::deque<Entry> handed_;                    ///< polled, not durable yet
  std::vector<LineResult>* results_ = nullptr;  ///< of the entry being handed over
  std::uint64_t line_ = 0;
  std::chrono::milliseconds wait_{50};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;       ///< under mutex_
  std::size_t queued_bytes_ = 0;  ///< under mutex_; those handed over too
  std::size_t handed_bytes_ = 0;  ///< of `handed_`
  bool urgent_ = false;           ///< under mutex_: something in queue_ is
  bool closed_ = false;           ///< under mutex_
};

}  // namespace freshet
