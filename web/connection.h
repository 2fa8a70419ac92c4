#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

/// A certificate and its key, for TLS 1.2 and later. Thread-safe after loading.
class TlsIdentity {
 public:
  /// PEM files. Throws Error{invalid} naming the file that can't be used.
  static std::unique_ptr<TlsIdentity> load(const std::string& certificate_file,
                                           const std::string& key_file);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  void* context() const { return context_; }

 private:
  explicit TlsIdentity(void* context) : context_(context) {}
  void* context_;  ///< SSL_CTX
};

/// One accepted socket, non-blocking, plain or TLS. Used by one thread at a time.
/// SIGPIPE must be ignored in this process (httplib's server sees to it).
class Connection {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Received { some, wait_readable, wait_writable, closed };

  /// Owns `socket`. With an identity (which must outlive this) it speaks TLS; `receive` shakes
  /// hands.
  Connection(int socket, const TlsIdentity* identity);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Appends what there is, at most 64 KiB; never blocks.
  Received receive(std::string& bytes);
  /// Blocks until all is sent; false if the client is gone or `deadline` has passed.
  bool send(std::string_view bytes, Time deadline);
  /// As much as goes without blocking.
  void send_now(std::string_view bytes);
  /// Whether the client has closed its side, as far as is known.
  bool is_gone() const;
  /// Whether bytes have come that nobody received: closing would then reset the connection and
  /// might take the answer with it.
  bool has_unread() const;
  /// No more will be sent.
  void end_sending();

  int socket() const { return socket_; }

 private:
  int wait(short events, Time deadline) const;

  const int socket_;
  void* tls_ = nullptr;  ///< SSL; nullptr: plain
};

}  // namespace freshet
