#include "web/reception.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <utility>

#include "stream/error.h"
#include "web/problem.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

// Left for the log's, the registry's and other files.
constexpr int kReservedDescriptors = 64;
constexpr std::size_t kMaxDrainedBytes = std::size_t{1024} * 1024;
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    "Content-Length: 0\r\nCache-Control: no-store\r\n\r\n";

int highest_descriptor() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<int>::max();
  }
  const auto most = static_cast<int>(std::min<rlim_t>(files.rlim_cur, 1 << 30));
  if (most < 2 * kReservedDescriptors) {
    throw Error(ErrorKind::unavailable, "the limit of open files is " + std::to_string(most) +
                                            ": raise it (ulimit -n) to " +
                                            std::to_string(2 * kReservedDescriptors) +
                                            " or more, to serve");
  }
  return most - kReservedDescriptors;
}

void send_away(Connection& connection) {
  connection.send_now(kFull);
  connection.end_sending();
  std::string unread;  // left unread it would reset the connection, and the answer be lost
  connection.receive(unread);
}

bool is_method_start(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

/// A connection that is being read.
struct Reception::Guest {
  std::unique_ptr<Arrival> arrival;
  Clock::time_point deadline;
  std::string head;         ///< until it is whole
  std::size_t scanned = 0;  ///< of head
  std::size_t awaited = 0;  ///< bytes of body; once the head is whole
  bool has_head = false;
  bool is_lingering = false;
  std::size_t drained = 0;
  Step wants = Step::wait_readable;
};

Reception::Reception(const Gate& gate, const TlsIdentity* identity, Limits limits, Deliver deliver)
    : gate_(gate),
      identity_(identity),
      limits_(limits),
      deliver_(std::move(deliver)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      highest_descriptor_(highest_descriptor()) {
  if (wake_ < 0) throw Error(ErrorKind::unavailable, "no descriptor is left to serve with");
  thread_ = std::thread([this] { run(); });
}

Reception::~Reception() {
  stop();
  ::close(wake_);
}

void Reception::stop() {
  is_stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void Reception::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Reception::admit(int socket) {
  auto connection = std::make_unique<Connection>(socket, identity_);
  if (socket > highest_descriptor_ || connections_ >= 2 * limits_.connections) {
    send_away(*connection);
    return;
  }
  auto guest = std::make_unique<Guest>();
  guest->arrival = std::make_unique<Arrival>();
  guest->arrival->connection = std::move(connection);
  guest->arrival->id = Gate::make_id();
  guest->arrival->place = std::make_unique<Counted>(connections_, 1);
  guest->deadline = Clock::now() + limits_.reading;
  {
    const std::lock_guard lock(mutex_);
    newcomers_.push_back(std::move(guest));
  }
  wake();
}

void Reception::linger(std::unique_ptr<Arrival> arrival) {
  if (is_stopping_) return;
  auto guest = std::make_unique<Guest>();
  guest->arrival = std::move(arrival);
  guest->arrival->body_bytes.reset();
  guest->deadline = Clock::now() + limits_.lingering;
  guest->is_lingering = true;
  {
    const std::lock_guard lock(mutex_);
    newcomers_.push_back(std::move(guest));
  }
  wake();
}

void Reception::take_newcomers(std::vector<std::unique_ptr<Guest>>& guests) {
  std::uint64_t count = 0;
  (void)!::read(wake_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  std::move(newcomers_.begin(), newcomers_.end(), std::back_inserter(guests));
  newcomers_.clear();
}

void Reception::make_room(std::vector<std::unique_ptr<Guest>>& guests) const {
  for (auto guest = guests.begin(); connections_ > limits_.connections && guest != guests.end();
       ++guest) {
    if ((*guest)->has_head) continue;
    if (!(*guest)->is_lingering) send_away(*(*guest)->arrival->connection);
    (*guest)->arrival.reset();
  }
}

void Reception::run() {
  std::vector<std::unique_ptr<Guest>> guests;
  std::vector<pollfd> entries;
  for (;;) {
    const bool is_stopping = is_stopping_;
    take_newcomers(guests);
    make_room(guests);
    const auto now = Clock::now();
    for (auto& guest : guests) {
      if (guest->arrival && now >= guest->deadline) {
        try {
          expire(*guest);
        } catch (const std::exception&) {
          guest->arrival.reset();  // no memory for an answer
        }
      }
    }
    std::erase_if(guests, [is_stopping](const auto& guest) {
      return !guest->arrival ||
             (is_stopping && (guest->is_lingering || (!guest->has_head && guest->head.empty())));
    });
    if (is_stopping && guests.empty()) return;
    entries.assign(1, pollfd{wake_, POLLIN, 0});
    for (const auto& guest : guests) {
      const short events = guest->wants == Step::wait_writable ? POLLOUT : POLLIN;
      entries.push_back({guest->arrival->connection->socket(), events, 0});
    }
    (void)::poll(entries.data(), entries.size(), guests.empty() ? -1 : 100);
    for (std::size_t i = 0; i < guests.size(); ++i) {
      if (entries[i + 1].revents != 0) guests[i]->wants = step(*guests[i]);
    }
    std::erase_if(guests, [](const auto& guest) { return guest->wants == Step::done; });
  }
}

Reception::Step Reception::step(Guest& guest) {
  try {
    if (guest.is_lingering) return drain(guest);
    return guest.has_head ? read_body(guest) : read_head(guest);
  } catch (const std::exception&) {
    return Step::done;  // out of memory: this connection goes, the others stay
  }
}

Reception::Step Reception::read_head(Guest& guest) {
  std::string& head = guest.head;
  for (;;) {
    const auto received = guest.arrival->connection->receive(head);
    if (received == Connection::Received::closed) return Step::done;
    if (received == Connection::Received::wait_readable) return Step::wait_readable;
    if (received == Connection::Received::wait_writable) return Step::wait_writable;
    if (!is_method_start(head.front())) {
      return refuse(guest, problem(400, "This is no HTTP request."));
    }
    std::size_t end = 0;
    for (auto at = head.find('\n', guest.scanned); at != std::string::npos && end == 0;
         at = head.find('\n', at + 1)) {
      if (at == 0 || head[at - 1] != '\r') {
        return refuse(guest, problem(400, "A line does not end in CRLF."));
      }
      if (at >= 3 && head[at - 2] == '\n') end = at + 1;
    }
    guest.scanned = head.size();
    if (end == 0 && head.size() <= kMaxHeadBytes) continue;
    auto parsed =
        parse_request_head(std::string_view(head).substr(0, end == 0 ? head.size() : end));
    if (auto* refusal = std::get_if<Response>(&parsed)) return refuse(guest, std::move(*refusal));
    const auto& request = std::get<RequestHead>(parsed);
    guest.arrival->is_head = request.method == "HEAD";
    auto admitted = gate_.admit(request);
    if (auto* refusal = std::get_if<Response>(&admitted)) {
      return refuse(guest, std::move(*refusal));
    }
    guest.arrival->admission = std::get<Gate::Admission>(std::move(admitted));
    guest.arrival->admission.request.id = guest.arrival->id;
    guest.awaited = request.body_bytes;
    if (body_bytes_ + guest.awaited > limits_.body_bytes) {
      return refuse(guest, problem_try_again(503, 1, "Too many large requests are under way."));
    }
    guest.arrival->body_bytes = std::make_unique<Counted>(body_bytes_, guest.awaited);
    guest.arrival->body = head.substr(end);
    guest.has_head = true;
    if (request.expects_continue && guest.arrival->body.empty()) {
      const bool is_sent =
          guest.arrival->connection->send("HTTP/1.1 100 Continue\r\n\r\n", Clock::now());
      if (!is_sent) return Step::done;
    }
    return read_body(guest);
  }
}

Reception::Step Reception::read_body(Guest& guest) {
  std::string& body = guest.arrival->body;
  while (body.size() < guest.awaited) {
    const auto received = guest.arrival->connection->receive(body);
    if (received == Connection::Received::closed) return Step::done;
    if (received == Connection::Received::wait_readable) return Step::wait_readable;
    if (received == Connection::Received::wait_writable) return Step::wait_writable;
  }
  body.resize(guest.awaited);  // what came after it is nobody's request
  return hand_on(guest);
}

Reception::Step Reception::refuse(Guest& guest, Response refusal) {
  guest.arrival->refusal = std::move(refusal);
  guest.arrival->body.clear();
  return hand_on(guest);
}

Reception::Step Reception::hand_on(Guest& guest) {
  deliver_(std::move(guest.arrival));
  return Step::done;
}

Reception::Step Reception::drain(Guest& guest) {
  while (guest.drained <= kMaxDrainedBytes) {
    std::string nobodys;
    const auto received = guest.arrival->connection->receive(nobodys);
    if (received == Connection::Received::wait_readable) return Step::wait_readable;
    if (received == Connection::Received::wait_writable) return Step::wait_writable;
    if (received == Connection::Received::closed) break;
    guest.drained += nobodys.size();
  }
  return Step::done;
}

void Reception::expire(Guest& guest) {
  const bool has_begun = guest.has_head || !guest.head.empty();
  if (guest.is_lingering || !has_begun) {
    guest.arrival.reset();
  } else {
    refuse(guest, problem(408, "The request took too long to arrive."));
  }
}

}  // namespace freshet
