#include "orchestrator/part_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "stream/error.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "/part.lock";

Error refused(const std::string& path, const char* what, int code) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot be {}: {}", path, what, std::system_category().message(code))};
}

void sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw refused(path, "opened", errno);
  const int failed = ::fsync(file) == 0 ? 0 : errno;
  ::close(file);
  if (failed != 0) throw refused(path, "synced to disk", failed);
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

PartFolder::PartFolder(const std::string& target, const std::string& like) {
  std::error_code error;
  target_ = without_slash(fs::weakly_canonical(fs::absolute(target), error).string());
  if (error) throw refused(target, "found", error.value());
  path_ = target_ + ".part";
  const bool is_there = fs::exists(target_, error);
  if (is_there && (!fs::is_directory(target_, error) || !fs::is_empty(target_, error))) {
    throw Error(ErrorKind::conflict,
                error
                    ? fmt::format("{}: cannot be looked into: {}", target_, error.message())
                    : fmt::format("{}: is there already and is no empty folder: give another name",
                                  target_));
  }
  const bool is_new = fs::create_directory(path_, is_there ? target_ : like, error);
  // Like one on a medium that cannot be written to, too.
  if (is_new) fs::permissions(path_, fs::perms::owner_all, fs::perm_options::add, error);
  if (error) throw refused(path_, "made", error.value());
  if (!is_new && !fs::is_empty(path_, error) && !fs::exists(path_ + kLock, error)) {
    throw Error(ErrorKind::conflict,
                fmt::format("{}: is in the way, and not of a copy that was left unfinished: remove "
                            "it, or give another name",
                            path_));
  }
  take();
}

void PartFolder::take() {
  const std::string lock = path_ + kLock;
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) throw refused(lock, "opened", errno);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw Error(ErrorKind::conflict,
                fmt::format("{}: another process is filling this folder: wait for it", path_));
  }
  clear();
}

/// Of what a process left that died, but for the lock.
void PartFolder::clear() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.path() != path_ + kLock) fs::remove_all(entry.path(), error);
  }
  if (error) throw refused(path_, "cleared", error.value());
}

PartFolder::~PartFolder() {
  if (!published_) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ::close(lock_);
}

void PartFolder::publish() {
  for (const auto& entry : fs::recursive_directory_iterator(path_)) sync(entry.path().string());
  sync(path_);
  if (std::rename(path_.c_str(), target_.c_str()) != 0) throw refused(target_, "made", errno);
  published_ = true;
  // Not before: without it the next one would not know what it may clear.
  if (::unlink((target_ + kLock).c_str()) != 0) throw refused(target_ + kLock, "removed", errno);
  sync(target_);
  sync(fs::path(target_).parent_path().string());
}

}  // namespace freshet
