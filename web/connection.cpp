#include "web/connection.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "stream/error.h"

namespace freshet {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;

SSL* ssl(void* tls) { return static_cast<SSL*>(tls); }

bool is_interruption() { return errno == EINTR; }
bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

std::unique_ptr<TlsIdentity> TlsIdentity::load(const std::string& certificate_file,
                                               const std::string& key_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (!context) throw Error(ErrorKind::unavailable, "TLS can't be set up");
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    throw Error(ErrorKind::invalid, certificate_file + ": this is no certificate in PEM");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    throw Error(ErrorKind::invalid,
                key_file + ": this is not the certificate's private key in PEM");
  }
  return identity;
}

TlsIdentity::~TlsIdentity() { SSL_CTX_free(static_cast<SSL_CTX*>(context_)); }

Connection::Connection(int socket, const TlsIdentity* identity) : socket_(socket) {
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
  fcntl(socket_, F_SETFD, FD_CLOEXEC);
  if (!identity) return;
  tls_ = SSL_new(static_cast<SSL_CTX*>(identity->context()));
  if (!tls_) return;
  SSL_set_fd(ssl(tls_), socket_);
  SSL_set_accept_state(ssl(tls_));
}

Connection::~Connection() {
  if (tls_) SSL_free(ssl(tls_));
  ::close(socket_);
}

Connection::Received Connection::receive(std::string& bytes) {
  const std::size_t before = bytes.size();
  bytes.resize(before + kChunkBytes);
  for (;;) {
    Received outcome = Received::closed;
    ssize_t count = 0;
    if (tls_) {
      ERR_clear_error();
      count = SSL_read(ssl(tls_), bytes.data() + before, static_cast<int>(kChunkBytes));
      if (count <= 0) {
        const int error = SSL_get_error(ssl(tls_), static_cast<int>(count));
        if (error == SSL_ERROR_WANT_READ) outcome = Received::wait_readable;
        if (error == SSL_ERROR_WANT_WRITE) outcome = Received::wait_writable;
      }
    } else {
      count = ::recv(socket_, bytes.data() + before, kChunkBytes, 0);
      if (count < 0 && is_interruption()) continue;
      if (count < 0 && would_block()) outcome = Received::wait_readable;
    }
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0 ? Received::some : outcome;
  }
}

int Connection::wait(short events, Time deadline) const {
  pollfd entry{socket_, events, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (ready >= 0 || !is_interruption()) return ready;
  }
}

bool Connection::send(std::string_view bytes, Time deadline) {
  while (!bytes.empty()) {
    short awaited = POLLOUT;
    ssize_t count = 0;
    if (tls_) {
      ERR_clear_error();
      count = SSL_write(ssl(tls_), bytes.data(),
                        static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
      if (count <= 0) {
        const int error = SSL_get_error(ssl(tls_), static_cast<int>(count));
        if (error == SSL_ERROR_WANT_READ) awaited = POLLIN;
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
      }
    } else {
      count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && is_interruption()) continue;
      if (count < 0 && !would_block()) return false;
    }
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (wait(awaited, deadline) <= 0) {
      return false;
    }
  }
  return true;
}

void Connection::send_now(std::string_view bytes) {
  if (!tls_) (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

bool Connection::is_gone() const {
  pollfd entry{socket_, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0;
}

bool Connection::has_unread() const {
  int count = 0;
  return ::ioctl(socket_, FIONREAD, &count) == 0 && count > 0;
}

void Connection::end_sending() {
  if (tls_) SSL_shutdown(ssl(tls_));
  ::shutdown(socket_, SHUT_WR);
}

}  // namespace freshet
