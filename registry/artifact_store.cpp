#include "registry/artifact_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "stream/error.h"
#include "stream/sha256.h"
#include "stream/whole_file.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".part";

Error refused(const std::string& path, const char* what, int code) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot {}: {}", path, what, std::system_category().message(code))};
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  /// Error{not_found} if there is no such file, Error{unavailable} otherwise.
  Descriptor(std::string path, int flags) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0644);
    if (descriptor_ >= 0) return;
    if (errno == ENOENT && (flags & O_CREAT) == 0) {
      throw Error(ErrorKind::not_found, fmt::format("{}: there is no such artifact", path_));
    }
    throw refused(path_, "be opened", errno);
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      const int code = written < 0 ? errno : ENOSPC;
      if (written <= 0 && code == ENOSPC) throw NoRoom(refused(path_, "be written", code).what());
      if (written <= 0) throw refused(path_, "be written", code);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  /// All of it, from the start.
  std::string read() const {
    std::string bytes;
    std::array<char, 1 << 16> buffer{};
    while (true) {
      const ssize_t got =
          ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(bytes.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw refused(path_, "be read", errno);
      if (got == 0) return bytes;
      bytes.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  // Never tried again: after a failure the kernel takes the pages for written.
  void sync() const {
    if (::fsync(descriptor_) != 0) throw refused(path_, "be synced to disk", errno);
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// A file of its own for one write, gone again unless it was published.
class Temporary {
 public:
  explicit Temporary(const std::string& target) {
    static std::atomic<std::uint64_t> count = 0;
    path_ = fmt::format("{}.{}.{}{}", target, ::getpid(), ++count, kTemporary);
  }
  ~Temporary() {
    if (!published_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::string& path() const { return path_; }

  void publish(const std::string& target) {
    if (std::rename(path_.c_str(), target.c_str()) != 0) throw refused(path_, "be renamed", errno);
    published_ = true;
  }

 private:
  std::string path_;
  bool published_ = false;
};

void sync_folder(const std::string& folder) { Descriptor(folder, O_RDONLY | O_DIRECTORY).sync(); }

std::string read_file(const std::string& path) { return Descriptor(path, O_RDONLY).read(); }

bool is_address(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw refused(path, "be removed", errno);
}

/// The names in a folder, sorted.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) throw refused(folder, "be listed", error.value());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ArtifactStore ArtifactStore::open(const std::string& folder, bool read_only) {
  if (read_only) return ArtifactStore(folder);
  make_folder(folder);
  return ArtifactStore(folder);
}

std::string ArtifactStore::put(const std::string& bytes) {
  std::string address = place(bytes);
  sync_folder(folder_);
  return address;
}

void ArtifactStore::put_all(const std::vector<std::string>& all) {
  for (const std::string& bytes : all) place(bytes);
  if (!all.empty()) sync_folder(folder_);
}

// Its name is durable once the folder is synced; also where it was there before: whoever renamed
// it may have died before that.
std::string ArtifactStore::place(const std::string& bytes) {
  std::string address = sha256_hex(bytes);
  const std::string path = folder_ + "/" + address;
  if (contains(address) && is_whole(address)) return address;
  Temporary temporary(path);
  const Descriptor file(temporary.path(), O_RDWR | O_CREAT | O_EXCL);
  file.write(bytes);
  file.sync();
  if (file.read() != bytes) {
    throw Error(ErrorKind::unavailable,
                fmt::format("{}: read back other bytes than were written", temporary.path()));
  }
  temporary.publish(path);
  return address;
}

std::string ArtifactStore::get(const std::string& sha256) const {
  if (!is_address(sha256)) {
    throw Error(ErrorKind::not_found,
                fmt::format("found \"{}\", expected an artifact's address: 64 hex digits", sha256));
  }
  const std::string path = folder_ + "/" + sha256;
  std::string bytes = read_file(path);
  const std::string found = sha256_hex(bytes);
  if (found == sha256) return bytes;
  throw Error(ErrorKind::corrupt,
              fmt::format("{}: the artifact is damaged: its {} bytes have the sha256 {}", path,
                          bytes.size(), found));
}

bool ArtifactStore::is_whole(const std::string& sha256) const {
  try {
    get(sha256);
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) throw;
    return false;
  }
}

bool ArtifactStore::contains(const std::string& sha256) const {
  std::error_code error;
  return is_address(sha256) && fs::exists(folder_ + "/" + sha256, error);
}

std::vector<std::string> ArtifactStore::list() const {
  std::vector<std::string> names = names_in(folder_);
  std::erase_if(names, [](const std::string& name) { return !is_address(name); });
  return names;
}

void ArtifactStore::remove(const std::string& sha256) {
  if (is_address(sha256)) remove_file(folder_ + "/" + sha256);
}

std::vector<LeftOver> ArtifactStore::left_over(const std::vector<std::string>& kept) const {
  std::vector<std::string> sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  std::vector<LeftOver> found;
  for (const std::string& name : names_in(folder_)) {
    const bool orphan = is_address(name) && !std::binary_search(sorted.begin(), sorted.end(), name);
    const bool half =
        name.size() > 64 && is_address(name.substr(0, 64)) && name.ends_with(kTemporary);
    if (!orphan && !half) continue;
    std::error_code error;
    const auto size = fs::file_size(folder_ + "/" + name, error);
    if (!error) found.push_back({name, size});
  }
  return found;
}

std::size_t ArtifactStore::collect(const std::vector<std::string>& kept) {
  const std::vector<LeftOver> found = left_over(kept);
  for (const LeftOver& file : found) remove_file(folder_ + "/" + file.name);
  return found.size();
}

}  // namespace freshet
