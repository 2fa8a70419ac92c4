#include "orchestrator/workspace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "stream/error.h"
#include "stream/event_decoder.h"
#include "stream/whole_file.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

Error lock_error(const std::string& path, const char* what, int code) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot be {}: {}; the workspace must be a folder that may be written to",
                      path, what, std::system_category().message(code))};
}

/// The pid at the lock file's start; an owner may write more after it.
std::string owner_of(int lock) {
  char text[32] = {};
  const ssize_t size = ::pread(lock, text, sizeof text, 0);
  const std::string_view read(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string_view pid = read.substr(0, read.find_first_not_of("0123456789"));
  return pid.empty() ? "unknown" : std::string(pid);
}

// Whoever looks whether there is an owner holds the lock for an instant: that is waited for.
int lock_exclusively(int lock) {
  for (int tries = 0;; ++tries) {
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK || tries == 20) return errno;
    ::usleep(5000);
  }
}

void write_lock(int lock, const std::string& path, const std::string& text) {
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    throw lock_error(path, "written", errno);
  }
}

std::vector<std::string> named_artifacts(const Registry& registry) {
  std::vector<std::string> named;
  for (const std::string& pipeline : registry.pipelines()) {
    for (const Revision& revision : registry.all_revisions(pipeline)) {
      named.push_back(revision.artifact);
      named.push_back(revision.learner_state);
    }
  }
  return named;
}

int take_lock(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) throw lock_error(path, "opened", errno);
  if (const int code = lock_exclusively(lock); code != 0) {
    const std::string owner = owner_of(lock);
    ::close(lock);
    if (code != EWOULDBLOCK) throw lock_error(path, "locked", code);
    throw Error(
        ErrorKind::conflict,
        fmt::format("{}: another freshet process owns this workspace (pid {}); wait for it, "
                    "stop it, or use another --workspace",
                    folder, owner));
  }
  try {
    write_lock(lock, path, std::to_string(::getpid()) + "\n");
  } catch (...) {
    ::close(lock);
    throw;
  }
  return lock;
}

}  // namespace

Workspace::Workspace(std::string folder, Mode mode, int lock, std::unique_ptr<Registry> registry,
                     ArtifactStore artifacts)
    : folder_(std::move(folder)),
      mode_(mode),
      lock_(lock),
      mutex_(std::make_unique<std::mutex>()),
      registry_(std::move(registry)),
      artifacts_(std::move(artifacts)) {}

Workspace::Workspace(Workspace&& other) noexcept
    : folder_(std::move(other.folder_)),
      mode_(other.mode_),
      lock_(std::exchange(other.lock_, -1)),
      mutex_(std::move(other.mutex_)),
      registry_(std::move(other.registry_)),
      artifacts_(std::move(other.artifacts_)) {}

Workspace::~Workspace() {
  // The next owner must not meet a connection that still checkpoints.
  registry_.reset();
  if (lock_ >= 0) ::close(lock_);
}

Workspace Workspace::open(const std::string& folder, Mode mode) {
  const std::string registry = folder + "/registry.db";
  const std::string artifacts = folder + "/artifacts";
  if (mode == Mode::read) {
    std::error_code error;
    if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
      throw Error(ErrorKind::invalid,
                  fmt::format("{}: found a file, expected a workspace's folder", folder));
    }
    if (!fs::exists(registry, error)) {
      throw Error(
          ErrorKind::not_found,
          fmt::format("{}: there is no workspace here; freshet run CONFIG --workspace {} makes one",
                      folder, folder));
    }
    return {folder, mode, -1, Registry::open_reader(registry),
            ArtifactStore::open(artifacts, true)};
  }
  make_folder(folder);
  const int lock = take_lock(folder);
  try {
    ArtifactStore store = ArtifactStore::open(artifacts);
    auto opened = Registry::open(registry);
    // What no revision names is left from a run that died before its checkpoint.
    store.collect(named_artifacts(*opened));
    return {folder, mode, lock, std::move(opened), std::move(store)};
  } catch (...) {
    ::close(lock);
    throw;
  }
}

std::optional<std::string> Workspace::owner_url(const std::string& folder) {
  const int lock = ::open((folder + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return std::nullopt;
  const bool owned = ::flock(lock, LOCK_SH | LOCK_NB) != 0;
  std::string text(512, '\0');
  const ssize_t size = owned ? ::pread(lock, text.data(), text.size(), 0) : 0;
  ::close(lock);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t begin = text.find('\n') + 1;
  const std::size_t end = text.find('\n', begin);
  if (begin == 0 || end == std::string::npos) return std::nullopt;
  return text.substr(begin, end - begin);
}

void Workspace::announce(const std::string& url) {
  write_lock(lock_, folder_ + "/lock", fmt::format("{}\n{}\n", ::getpid(), url));
}

std::vector<std::string> Workspace::artifacts_in_use() const { return named_artifacts(*registry_); }

std::string Workspace::pipeline_folder(const std::string& pipeline) const {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool starts_well = !pipeline.empty() && kAllowed.find(pipeline.front()) < 36;
  if (!starts_well || pipeline.size() > 64 ||
      pipeline.find_first_not_of(kAllowed) != std::string::npos) {
    throw Error(ErrorKind::invalid,
                fmt::format("{} is no pipeline's name: 1 to 64 of a-z, 0-9, '.', '_' and '-', "
                            "the first a letter or digit",
                            freshet::quoted(pipeline)));
  }
  std::string path = folder_ + "/pipelines/" + pipeline;
  if (mode_ == Mode::own) make_folder(path);
  return path;
}

std::string Workspace::log_path(const std::string& pipeline) const {
  return pipeline_folder(pipeline) + "/log.db";
}

std::string Workspace::outbox_path(const std::string& pipeline) const {
  return pipeline_folder(pipeline) + "/outbox.json";
}

std::string Workspace::rows_path(const std::string& pipeline) const {
  return pipeline_folder(pipeline) + "/rows.db";
}

std::string Workspace::backtests_path(const std::string& pipeline) const {
  return pipeline_folder(pipeline) + "/backtests.db";
}

}  // namespace freshet
