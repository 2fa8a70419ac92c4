#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "scenario/service.h"

namespace freshet {

/// Clients of a service that append events, a batch at a time, again and again until each batch is
/// acknowledged: by whichever process serves at the time. Every third batch, if it is
/// small, is asked for answers and recorded, once there is a champion.
///
///   Clients clients(lines, 20);
///   { ServedProgram served(…); clients.call(served); …; served.kill(); clients.hang_up(); }
class Clients {
 public:
  /// `event` gives event i's line, for any thread; its id is "e" and i. `events`: how many there
  /// are.
  Clients(std::function<std::string(std::size_t)> event, std::size_t events, std::size_t batch,
          std::size_t threads = 2);
  /// Of lines that outlive them.
  Clients(const std::vector<std::string>& lines, std::size_t batch);
  ~Clients() { hang_up(); }

  /// Threads begin to send what is not acknowledged yet.
  void call(const ServedProgram& served);
  /// They finish the request they are at; nothing is sent on return.
  void hang_up();
  /// Waits until everything is acknowledged, `milliseconds` at most.
  bool done_within(int milliseconds) const;

  bool done() const;
  /// How many events were answered for.
  std::size_t acknowledged_count() const { return acknowledged_count_; }
  /// The ids of those that are in the log by what was answered.
  std::vector<std::string> acknowledged() const;
  /// Lines that came too late for the log, and were answered so.
  std::size_t late() const;
  /// Answers 429 or 503 with a Retry-After, after which the batch was sent again.
  std::size_t sent_away() const { return sent_away_; }
  /// Lines that were refused as dead letters.
  std::size_t refused() const { return refused_; }

 private:
  void send_all(const ServedProgram& served);
  bool send(const ServedProgram& served, std::size_t first);

  std::string lines(std::size_t begin, std::size_t end) const;
  std::string question(std::size_t begin, std::size_t end) const;

  const std::function<std::string(std::size_t)> event_;
  const std::size_t events_;
  const std::size_t batch_;
  const std::size_t thread_count_;
  std::vector<std::thread> threads_;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> sent_away_ = 0;
  std::atomic<std::size_t> refused_ = 0;
  std::atomic<std::size_t> acknowledged_count_ = 0;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;           ///< the first event that was not tried yet; under mutex_
  std::deque<std::size_t> again_;  ///< first events of batches to be sent again; under mutex_
  std::vector<std::size_t> acknowledged_;  ///< first events of batches; under mutex_
  std::set<std::size_t> late_;             ///< events; under mutex_
};

}  // namespace freshet
