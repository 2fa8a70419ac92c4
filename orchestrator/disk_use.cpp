#include "orchestrator/disk_use.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <numeric>
#include <string_view>
#include <system_error>

#include "stream/error.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGibibyte = 1ULL << 30U;

std::string kind_of_file(const fs::path& file, const fs::path& folder) {
  const std::string name = file.filename().string();
  const fs::path place = file.parent_path();
  if (place == folder / "artifacts") return "artifacts";
  if (place == folder && name.starts_with("registry.db")) return "registry";
  if (place.parent_path() == folder / "pipelines") {
    // Beside a database stand its write-ahead log and its journal.
    for (const char* kind : {"log", "rows", "backtests"}) {
      if (name.starts_with(std::string(kind) + ".db")) return kind;
    }
  }
  return "other";
}

}  // namespace

std::uint64_t DiskUse::total() const {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& kind) { return sum + kind.second; });
}

DiskUse disk_use(const std::string& folder) {
  DiskUse use;
  struct statvfs system {};
  if (::statvfs(folder.c_str(), &system) != 0) {
    throw Error(ErrorKind::unavailable, fmt::format("{}: cannot be looked at: {}", folder,
                                                    std::system_category().message(errno)));
  }
  use.free_bytes = std::uint64_t{system.f_bavail} * system.f_frsize;
  use.size_bytes = std::uint64_t{system.f_blocks} * system.f_frsize;
  for (const char* kind : {"artifacts", "backtests", "log", "other", "registry", "rows"}) {
    use.bytes[kind] = 0;
  }
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) use.bytes[kind_of_file(at->path(), folder)] += size;
  }
  return use;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1000 && unit + 1 < kUnits.size(); ++unit) size /= 1000;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string room_warning(const std::string& folder, const DiskUse& use,
                         std::uint64_t growth_bytes) {
  const std::uint64_t least = std::min(kGibibyte, use.size_bytes / 20);
  if (use.free_bytes >= std::max(least, growth_bytes)) return "";
  return fmt::format(
      "{}: only {} are free on its file system; the workspace holds {} and grew by {} within the "
      "last hour. When nothing is free, events are refused: make room",
      folder, size_text(use.free_bytes), size_text(use.total()), size_text(growth_bytes));
}

DiskWatch::State DiskWatch::state(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (looked_at_ != Clock::time_point{} && now - looked_at_ < std::chrono::seconds(10))
    return state_;
  looked_at_ = now;
  try {
    state_.use = disk_use(folder_);
  } catch (const Error& error) {
    state_.warning = error.what();
    return state_;
  }
  const std::uint64_t total = state_.use.total();
  if (totals_.empty() || now - totals_.back().first >= std::chrono::minutes(1)) {
    totals_.emplace_back(now, total);
  }
  while (now - totals_.front().first > std::chrono::hours(1) && totals_.size() > 1) {
    totals_.pop_front();
  }
  const std::uint64_t before = totals_.front().second;
  state_.growth_bytes = total > before ? total - before : 0;
  state_.warning = room_warning(folder_, state_.use, state_.growth_bytes);
  return state_;
}

std::optional<std::string> DiskWatch::news() {
  std::string warning = state().warning;
  const bool told = std::exchange(told_, !warning.empty());
  if (told || warning.empty()) return std::nullopt;
  return warning;
}

}  // namespace freshet
