#include "stream/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "stream/error.h"

namespace freshet {

namespace {

// 0, or what the system refused it with.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file) == 0 ? 0 : errno;
}

int write_new(const std::string& path, std::string_view bytes, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return errno;
  const int failed = write_all(file, bytes);
  const int closed = ::close(file) == 0 ? 0 : errno;
  return failed != 0 ? failed : closed;
}

Error refused(const std::string& path, int why) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot be written: {}", path, std::system_category().message(why))};
}

int sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  const int failed = ::fsync(file) == 0 ? 0 : errno;
  ::close(file);
  return failed;
}

}  // namespace

void write_whole_file(const std::string& path, std::string_view bytes, mode_t mode) {
  static std::atomic<unsigned> count = 0;
  const std::string part = fmt::format("{}.{}.{}.part", path, ::getpid(), ++count);
  ::unlink(part.c_str());  // of a process that had this number and died; it may have another mode
  int failed = write_new(part, bytes, mode);
  if (failed == 0 && std::rename(part.c_str(), path.c_str()) != 0) failed = errno;
  if (failed == 0) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    failed = sync_folder(folder.empty() ? "." : folder);
  } else {
    ::unlink(part.c_str());
  }
  if (failed != 0) throw refused(path, failed);
}

void make_folder(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path whole = fs::absolute(path).lexically_normal();
  fs::path made;
  for (const fs::path& part : whole) {
    const fs::path above = made;
    made /= part;
    std::error_code error;
    if (!fs::create_directory(made, error) && !error) continue;  // it was there
    const int failed = error ? error.value() : sync_folder(above.string());
    if (failed == 0) continue;
    throw Error(ErrorKind::unavailable, fmt::format("{}: cannot be made: {}", path,
                                                    std::system_category().message(failed)));
  }
}

void sync_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return;
  const int failed = file >= 0 && ::fdatasync(file) == 0 ? 0 : errno;
  if (file >= 0) ::close(file);
  if (failed != 0) throw refused(path, failed);
}

}  // namespace freshet
