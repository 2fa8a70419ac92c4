#include "stream/byte_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "stream/error.h"
#include "stream/sha256.h"

namespace freshet {
namespace {

constexpr std::size_t kIdentityBytes = 4096;
constexpr std::size_t kRawBytes = 1 << 16;

/// The bytes as they lie on disk or come through a pipe.
class Descriptor {
 public:
  explicit Descriptor(const std::string& name) : name_(name) {
    fd_ = name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) {
      throw Error(errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable,
                  fmt::format("{}: cannot be opened: {}", name, std::strerror(errno)));
    }
    struct stat status = {};
    if (::fstat(fd_, &status) == 0) {
      if (S_ISDIR(status.st_mode)) {
        close();
        throw Error(ErrorKind::invalid, fmt::format("{}: is a folder, expected a file", name));
      }
      is_file_ = S_ISREG(status.st_mode) && name != "-";
      device_ = status.st_dev;
      inode_ = status.st_ino;
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  bool is_file() const { return is_file_; }

  ByteInput::Got read(char* to, std::size_t size, int wait_ms) {
    if (!is_file_) {
      pollfd ready = {fd_, POLLIN, 0};
      const int count = ::poll(&ready, 1, wait_ms);
      if (count == 0 || (count < 0 && errno == EINTR)) return {0, false};
    }
    const ssize_t count = ::read(fd_, to, size);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) return {0, false};
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: reading failed at byte {}: {}", display_name(name_), read_,
                              std::strerror(errno)));
    }
    read_ += static_cast<std::uint64_t>(count);
    if (count == 0 && is_file_) check_still_the_same();
    return {static_cast<std::size_t>(count), count == 0};
  }

  /// The file's first bytes, at most `size`, without moving where it is read.
  std::string first(std::size_t size) const {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t count = ::pread(fd_, bytes.data() + got, size - got, static_cast<off_t>(got));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
    return bytes;
  }

 private:
  void close() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
    fd_ = -1;
  }

  // A followed file that is rotated away or cut would otherwise be waited on for ever.
  void check_still_the_same() const {
    struct stat status = {};
    if (::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < read_) {
      throw Error(ErrorKind::conflict,
                  fmt::format("{}: was replaced: it is {} bytes long, {} were read before", name_,
                              status.st_size, read_));
    }
    if (::stat(name_.c_str(), &status) == 0 &&
        (status.st_ino != inode_ || status.st_dev != device_)) {
      throw Error(ErrorKind::conflict,
                  fmt::format("{}: was replaced by another file while it was read", name_));
    }
  }

  std::string name_;
  int fd_ = -1;
  bool is_file_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t read_ = 0;
};

class DescriptorInput : public ByteInput {
 public:
  explicit DescriptorInput(const std::string& name)
      : name_(name), descriptor_(name), raw_(kRawBytes) {}
  ~DescriptorInput() override {
    if (inflating_) inflateEnd(&inflate_);
  }

  Got read(char* to, std::size_t size, int wait_ms) override {
    if (!known_ && !look_at_start(wait_ms)) return {0, raw_ended_};
    if (!inflating_) return read_plain(to, size, wait_ms);
    return read_gzip(to, size, wait_ms);
  }

  bool complete() const override { return !in_member_; }
  bool is_file() const override { return descriptor_.is_file(); }
  const std::string& name() const override { return name_; }

  std::string identity() const override {
    if (!is_file()) return "";
    const std::string bytes = descriptor_.first(kIdentityBytes);
    return fmt::format("{}:{}", bytes.size(), sha256_hex(bytes));
  }

  bool matches(const std::string& identity) const override {
    std::size_t size = 0;
    const char* end = identity.data() + identity.size();
    const auto [at, error] = std::from_chars(identity.data(), end, size);
    if (error != std::errc() || at == end || size > kIdentityBytes) return false;
    const std::string bytes = descriptor_.first(size);
    return bytes.size() == size && std::string_view(at + 1, end) == sha256_hex(bytes);
  }

 private:
  /// Two bytes tell gzip; true once it is known. A file of one byte is plain once it has ended.
  bool look_at_start(int wait_ms) {
    while (raw_end_ < 2) {
      const Got got = descriptor_.read(raw_.data() + raw_end_, raw_.size() - raw_end_, wait_ms);
      raw_end_ += got.size;
      raw_ended_ = got.end;
      if (got.size == 0) break;
    }
    if (raw_end_ < 2 && !(raw_ended_ && raw_end_ == 1)) return false;
    known_ = true;
    const bool gzip = raw_end_ >= 2 && raw_[0] == '\x1f' && raw_[1] == '\x8b';
    if (!gzip && name_.ends_with(".gz")) {
      throw Error(ErrorKind::corrupt, fmt::format("{}: is not gzip data, as its name says", name_));
    }
    if (gzip) {
      // 15 bits of window, + 16: gzip header expected.
      if (inflateInit2(&inflate_, 15 + 16) != Z_OK) throw std::bad_alloc();
      inflating_ = true;
      in_member_ = true;
    }
    return true;
  }

  Got read_plain(char* to, std::size_t size, int wait_ms) {
    if (raw_begin_ == raw_end_) return descriptor_.read(to, size, wait_ms);
    const std::size_t count = std::min(size, raw_end_ - raw_begin_);
    std::memcpy(to, raw_.data() + raw_begin_, count);
    raw_begin_ += count;
    return {count, false};
  }

  Got read_gzip(char* to, std::size_t size, int wait_ms) {
    while (true) {
      if (raw_begin_ == raw_end_ && !pending_output_) {
        const Got got = descriptor_.read(raw_.data(), raw_.size(), wait_ms);
        raw_begin_ = 0;
        raw_end_ = got.size;
        if (got.size == 0) return got;
      }
      if (!in_member_ && !next_member()) continue;
      const std::size_t count = inflate_some(to, size);
      if (count > 0) return {count, false};
    }
  }

  /// Between members zero bytes are padding; anything else must be a member.
  bool next_member() {
    while (raw_begin_ < raw_end_ && raw_[raw_begin_] == '\0') ++raw_begin_;
    if (raw_begin_ == raw_end_) return false;
    inflateReset(&inflate_);
    in_member_ = true;
    return true;
  }

  std::size_t inflate_some(char* to, std::size_t size) {
    const std::size_t offered = raw_end_ - raw_begin_;
    inflate_.next_in = reinterpret_cast<Bytef*>(raw_.data() + raw_begin_);
    inflate_.avail_in = static_cast<uInt>(offered);
    inflate_.next_out = reinterpret_cast<Bytef*>(to);
    inflate_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    const uInt room = inflate_.avail_out;
    const int result = inflate(&inflate_, Z_NO_FLUSH);
    raw_begin_ += offered - inflate_.avail_in;
    const std::size_t count = room - inflate_.avail_out;
    produced_ += count;
    pending_output_ = result == Z_OK && inflate_.avail_out == 0;
    if (result == Z_STREAM_END) {
      in_member_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("{}: damaged gzip data after {} decompressed bytes: {}", display_name(name_),
                      produced_, inflate_.msg != nullptr ? inflate_.msg : "unreadable"));
    }
    return count;
  }

  std::string name_;
  Descriptor descriptor_;
  std::vector<char> raw_;  ///< compressed bytes, or those looked at to tell
  std::size_t raw_begin_ = 0;
  std::size_t raw_end_ = 0;
  bool raw_ended_ = false;
  bool known_ = false;      ///< whether it is gzip
  bool inflating_ = false;  ///< it is
  bool in_member_ = false;
  bool pending_output_ = false;  ///< zlib may hold more than there was room for
  z_stream inflate_ = {};
  std::uint64_t produced_ = 0;
};

}  // namespace

std::unique_ptr<ByteInput> ByteInput::open(const std::string& name) {
  return std::make_unique<DescriptorInput>(name);
}

std::string display_name(const std::string& input_name) {
  return input_name == "-" ? "standard input" : input_name;
}

}  // namespace freshet
