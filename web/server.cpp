#include "web/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <exception>
#include <thread>
#include <type_traits>
#include <utility>

#include "stream/error.h"
#include "web/problem.h"
#include "web/workers.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 1024;  // httplib's is 5: a burst would wait for retransmission
constexpr std::size_t kBytesPerSecond = std::size_t{64} * 1024;

// httplib's queue of accepted sockets: handing one to the reception is done where it is accepted.
class AtOnce : public httplib::TaskQueue {
 public:
  // void in 0.11, bool in 0.18.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr));

  Enqueued enqueue(std::function<void()> task) override {
    task();
    return static_cast<Enqueued>(true);
  }
  void shutdown() override {}
};

// What httplib sees of a connection: a request line that we wrote, and where the answer goes.
class Wire : public httplib::Stream {
 public:
  Wire(Connection& connection, bool is_head, Clock::time_point deadline)
      : connection_(connection),
        request_(is_head ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n"),
        deadline_(deadline) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return !has_failed_; }
  ssize_t read(char* bytes, size_t size) override {
    const auto count = std::min(size, request_.size());
    std::copy_n(request_.begin(), count, bytes);
    request_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, size_t size) override {
    if (has_failed_ || !connection_.send({bytes, size}, deadline_)) has_failed_ = true;
    return has_failed_ ? -1 : static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  void extend(Clock::time_point deadline) { deadline_ = deadline; }

 private:
  Connection& connection_;
  std::string_view request_;
  Clock::time_point deadline_;
  bool has_failed_ = false;
};

// The answer that this thread is having written.
struct Outgoing {
  Response* response = nullptr;
  Connection* connection = nullptr;
  Wire* wire = nullptr;
};
thread_local Outgoing outgoing;

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  const auto size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

bool is_loopback(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  throw Error(ErrorKind::invalid,
              fmt::format("--listen {}: this is no IP address (such as 127.0.0.1)", address));
}

}  // namespace

/// cpp-httplib's server, with our reading in place of its own.
class Server::Listener : public httplib::Server {
 public:
  Listener(const freshet::Server::Options& options, const Gate& gate, const Gate::Log& log)
      : options_(options), gate_(gate), log_(log) {
    if (!options.tls_certificate_file.empty() || !options.tls_key_file.empty()) {
      identity_ = TlsIdentity::load(options.tls_certificate_file, options.tls_key_file);
    }
    new_task_queue = [] { return new AtOnce; };
    set_keep_alive_max_count(1);
    set_tcp_nodelay(true);
    // httplib's default shares the port with any other process that asks (SO_REUSEPORT).
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& answer) {
      put_answer(answer);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& answer) {
      answer.headers.erase("Accept-Ranges");
      if (answer.status == 304 || answer.status == 204) answer.headers.erase("Content-Length");
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& answer,
                             const std::exception_ptr&) { answer.status = 500; });
  }

  ~Listener() override { end(); }

  /// `bound` learns the port before the first request can come.
  void begin(const std::function<void(int port)>& bound) {
    if (!bind(options_.port)) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}:{} can't be listened on: is another server there?",
                              options_.address, options_.port));
    }
    bound(port_);
    workers_ = std::make_unique<Workers>(options_.workers);
    reception_ = std::make_unique<Reception>(
        gate_, identity_.get(), options_.limits, [this](std::unique_ptr<Arrival> arrival) {
          workers_->submit([this, held = std::make_shared<std::unique_ptr<Arrival>>(
                                      std::move(arrival))] { serve(std::move(*held)); });
        });
    thread_ = std::thread([this] { accept_all(); });
  }

  void end() {
    is_stopping_ = true;
    // httplib's stop does nothing before its loop runs.
    while (thread_.joinable() && !is_running() && !has_ended_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    httplib::Server::stop();
    if (thread_.joinable()) thread_.join();
    // A loop that never ran leaves the socket, and clients would wait for it.
    const socket_t left = svr_sock_.exchange(INVALID_SOCKET);
    if (left != INVALID_SOCKET) ::close(left);
    if (reception_) reception_->stop();
    workers_.reset();
    reception_.reset();
  }

  int port() const { return port_; }

 private:
  bool process_and_close_socket(socket_t socket) override {
    try {
      reception_->admit(socket);
    } catch (const std::exception&) {
      log_("no memory for another connection");
    }
    return true;
  }

  bool bind(int port) {
    const std::string address = options_.address == "localhost" ? "127.0.0.1" : options_.address;
    if (port == 0) {
      port_ = bind_to_any_port(address);
      if (port_ <= 0) return false;
    } else {
      if (!bind_to_port(address, port)) return false;
      port_ = port;
    }
    return ::listen(svr_sock_, kBacklog) == 0;
  }

  // httplib's loop ends at the first error of accept that it does not know.
  void accept_all() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!is_stopping_) {
      listen_after_bind();
      if (is_stopping_) break;
      log_("accepting failed; listening anew");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      while (!is_stopping_ && !bind(port_)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    }
    has_ended_ = true;
  }

  void serve(std::unique_ptr<Arrival> arrival) {
    const auto begin = Clock::now();
    const Route* route = arrival->admission.route;
    try {
      const bool is_refused = arrival->refusal.has_value();
      Response response =
          is_refused ? std::move(*arrival->refusal)
                     : gate_.answer(std::move(arrival->admission), std::move(arrival->body));
      arrival->body_bytes.reset();
      std::unique_ptr<Counted> stream;
      if (response.stream && !arrival->is_head) {
        stream = std::make_unique<Counted>(streams_, 1);
        if (streams_ > options_.streams) {
          response = problem_try_again(503, 5, "There are too many event streams: poll instead.");
        }
      }
      gate_.finish(response, arrival->id);
      if (options_.observe) {
        const std::chrono::duration<double> taken = Clock::now() - begin;
        options_.observe(route, response.status, taken.count());
      }
      write(*arrival, response);
      stream.reset();
      arrival->connection->end_sending();
      if (is_refused || arrival->connection->has_unread()) reception_->linger(std::move(arrival));
    } catch (const std::exception& error) {
      log_(std::string("an answer was given up: ") + escaped_for_log(error.what()));
    }
  }

  void write(const Arrival& arrival, Response& response) {
    const auto more = std::chrono::seconds(response.body.size() / kBytesPerSecond);
    Wire wire(*arrival.connection, arrival.is_head, Clock::now() + options_.writing + more);
    outgoing = {&response, arrival.connection.get(), &wire};
    hand_to_httplib(*this, wire);
    outgoing = {};
  }

  // The request's addresses came into the signature after 0.11.
  template <class Self>
  static void hand_to_httplib(Self& self, Wire& wire) {
    bool is_closed = false;
    if constexpr (requires { self.process_request(wire, true, is_closed, nullptr); }) {
      self.process_request(wire, true, is_closed, nullptr);
    } else {
      self.process_request(wire, "", 0, "", 0, true, is_closed, nullptr);
    }
  }

  void put_answer(httplib::Response& answer) {
    Response& response = *outgoing.response;
    answer.status = response.status;
    for (const auto& [name, value] : response.headers) answer.headers.emplace(name, value);
    answer.headers.emplace("Date", http_date());
    if (response.stream) {
      answer.set_content_provider(
          response.content_type, [this](size_t, httplib::DataSink& sink) { return produce(sink); });
    } else {
      if (!response.content_type.empty()) answer.set_header("Content-Type", response.content_type);
      answer.body = std::move(response.body);
    }
  }

  // One call of the producer; false ends the answer.
  bool produce(httplib::DataSink& sink) {
    const auto write = [this, &sink](std::string_view bytes) {
      outgoing.wire->extend(Clock::now() + options_.writing);
      return !is_stopping_ && sink.write(bytes.data(), bytes.size());
    };
    try {
      if (!is_stopping_ && !outgoing.connection->is_gone() && outgoing.response->stream(write)) {
        return true;
      }
    } catch (const std::exception& error) {
      log_(std::string("an event stream failed: ") + escaped_for_log(error.what()));
    } catch (...) {
      log_("an event stream failed");
    }
    sink.done();
    return true;
  }

  const freshet::Server::Options& options_;
  const Gate& gate_;
  const Gate::Log& log_;
  std::unique_ptr<TlsIdentity> identity_;
  int port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> has_ended_{false};
  std::atomic<std::size_t> streams_{0};
  std::unique_ptr<Reception> reception_;
  std::unique_ptr<Workers> workers_;
  std::thread thread_;
};

Server::Server(Options options, const RouteTable& routes, Access& access, Gate::Log log)
    : options_(std::move(options)),
      access_(access),
      log_(std::move(log)),
      gate_(routes, access, log_) {}

Server::~Server() { stop(); }

void Server::start() {
  const std::string address = options_.address == "localhost" ? "127.0.0.1" : options_.address;
  const bool has_tls = !options_.tls_certificate_file.empty();
  if (!is_loopback(address) && !has_tls && !options_.behind_proxy) {
    throw Error(ErrorKind::invalid,
                fmt::format("--listen {}: an address that others can reach needs --tls-certificate "
                            "and --tls-key, or --behind-proxy if a proxy speaks TLS",
                            address));
  }
  if (!is_loopback(address) && !access_.has_tokens()) {
    throw Error(
        ErrorKind::invalid,
        fmt::format("--listen {}: an address that others can reach needs a token", address));
  }
  auto listener = std::make_unique<Listener>(options_, gate_, log_);
  listener->begin([&](int port) { access_.listening_on(address, port); });
  listener_ = std::move(listener);
}

int Server::port() const { return listener_ ? listener_->port() : 0; }

void Server::stop() {
  if (listener_) listener_->end();
  listener_.reset();
}

}  // namespace freshet
