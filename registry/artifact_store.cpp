#include "registry/artifact_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "stream/error.h"
#include "stream/sha256.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".part";

Error refused(const std::string& path, const char* what) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot {}: {}", path, what, std::strerror(errno))};
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : path_(path) {
    descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (descriptor_ < 0) throw refused(path, "open");
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw refused(path_, "write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void sync() const {
    if (::fsync(descriptor_) != 0) throw refused(path_, "fsync");
  }

 private:
  std::string path_;
  int descriptor_;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::not_found, fmt::format("{}: there is no such artifact", path));
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) throw refused(path, "read");
  return bytes;
}

bool is_address(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

ArtifactStore ArtifactStore::open(const std::string& folder, bool read_only) {
  if (!read_only) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: cannot be made: {}", folder, error.message()));
    }
  }
  return ArtifactStore(folder);
}

std::string ArtifactStore::put(const std::string& bytes) {
  const std::string address = sha256_hex(bytes);
  const std::string path = folder_ + "/" + address;
  if (fs::exists(path)) return address;
  const std::string temporary = path + std::string(kTemporary);
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(bytes);
    file.sync();
  }
  if (sha256_hex(read_file(temporary)) != address) {
    throw Error(ErrorKind::unavailable,
                fmt::format("{}: read back other bytes than were written", temporary));
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) throw refused(path, "rename");
  const Descriptor folder(folder_, O_RDONLY | O_DIRECTORY);
  folder.sync();
  return address;
}

std::string ArtifactStore::get(const std::string& sha256) const {
  if (!is_address(sha256)) {
    throw Error(ErrorKind::not_found, fmt::format("\"{}\" is no artifact's address", sha256));
  }
  const std::string path = folder_ + "/" + sha256;
  std::string bytes = read_file(path);
  if (sha256_hex(bytes) != sha256) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: the bytes don't match their hash", path));
  }
  return bytes;
}

bool ArtifactStore::contains(const std::string& sha256) const {
  return is_address(sha256) && fs::exists(folder_ + "/" + sha256);
}

std::vector<std::string> ArtifactStore::list() const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_address(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ArtifactStore::remove(const std::string& sha256) {
  if (is_address(sha256)) fs::remove(folder_ + "/" + sha256);
}

std::size_t ArtifactStore::collect(const std::vector<std::string>& kept) {
  std::vector<std::string> sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  std::size_t removed = 0;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    const bool orphan = is_address(name) && !std::binary_search(sorted.begin(), sorted.end(), name);
    if (orphan || name.ends_with(kTemporary)) gone.push_back(entry.path());
  }
  for (const fs::path& path : gone) removed += fs::remove(path) ? 1 : 0;
  return removed;
}

}  // namespace freshet
