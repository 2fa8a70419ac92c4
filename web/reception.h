#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "web/connection.h"
#include "web/gate.h"
#include "web/request_head.h"

namespace freshet {

/// Counts while it lives.
class Counted {
 public:
  Counted(std::atomic<std::size_t>& total, std::size_t amount) : total_(&total), amount_(amount) {
    *total_ += amount_;
  }
  ~Counted() { *total_ -= amount_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::size_t>* total_;
  std::size_t amount_;
};

/// A request that is whole, or refused before it was.
struct Arrival {
  std::unique_ptr<Connection> connection;
  std::string id;
  bool is_head = false;             ///< HEAD: no body goes out
  Gate::Admission admission;        ///< if there is no refusal
  std::optional<Response> refusal;  ///< answer this
  std::string body;
  std::unique_ptr<Counted> place;       ///< among the connections
  std::unique_ptr<Counted> body_bytes;  ///< among those of all bodies
};

/// Reads the requests of all connections on one thread until each is whole, and only then hands it
/// on: a slow client costs a descriptor, never a worker. The time is limited for the whole request
/// (408), not for each read. The head is checked and let in by the gate before a byte of the body
/// is kept, and the bodies of all requests together have a limit (503). So have the connections:
/// beyond it those go, with a 503, that have been longest without a whole head, so that a flood of
/// them keeps out nobody who has something to ask.
///
/// `admit` and `linger` are thread-safe; `deliver` is called on the reading thread and must not
/// block or throw.
class Reception {
 public:
  struct Limits {
    std::chrono::milliseconds reading{10'000};  ///< from accepted to whole
    std::chrono::milliseconds lingering{1'000};
    std::size_t connections = 2'000;
    std::size_t body_bytes = std::size_t{256} * 1024 * 1024;  ///< of all requests at once
  };
  using Deliver = std::function<void(std::unique_ptr<Arrival> arrival)>;

  /// `gate` must outlive this.
  Reception(const Gate& gate, const TlsIdentity* identity, Limits limits, Deliver deliver);
  /// Ends as `stop` does.
  ~Reception();
  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  /// Takes over an accepted socket. Past twice the limit of connections, or with a descriptor's
  /// number so high that few are left, it is answered 503 and closed.
  void admit(int socket);
  /// Waits for the client to close, so that the answer just sent is not lost to a reset.
  void linger(std::unique_ptr<Arrival> arrival);
  /// Finishes the requests that have begun to come, within their time, then ends. Call it when no
  /// more `admit` can come.
  void stop();

 private:
  struct Guest;
  enum class Step { wait_readable, wait_writable, done };

  void run();
  void take_newcomers(std::vector<std::unique_ptr<Guest>>& guests);
  /// Sends away who is past the limit; `guests` are in the order in which they came.
  void make_room(std::vector<std::unique_ptr<Guest>>& guests) const;
  Step step(Guest& guest);
  Step read_head(Guest& guest);
  Step read_body(Guest& guest);
  Step refuse(Guest& guest, Response refusal);
  Step hand_on(Guest& guest);
  Step drain(Guest& guest);
  void expire(Guest& guest);
  void wake() const;

  const Gate& gate_;
  const TlsIdentity* identity_;
  const Limits limits_;
  const Deliver deliver_;
  const int wake_;                ///< eventfd
  const int highest_descriptor_;  ///< a socket above it is refused
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> body_bytes_{0};
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Guest>> newcomers_;
  std::thread thread_;
};

}  // namespace freshet
