#include "stream/log_seen_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "stream/checksum.h"
#include "stream/error.h"
#include "stream/watermark.h"

namespace freshet {
namespace {

static_assert(sizeof(SeenId) == 24, "stored as it stands in memory");

std::string checksum_of(std::int64_t end, std::int64_t max_time, std::string_view ids) {
  return checksum({static_cast<std::uint64_t>(end), static_cast<std::uint64_t>(max_time)}, ids);
}

Millis newest_of(const std::vector<SeenId>& ids) {
  Millis newest = Watermark::kNone;
  for (const SeenId& seen : ids) newest = std::max(newest, seen.time);
  return newest;
}

}  // namespace

void put_seen(SQLite::Database& database, const SeenStretch& stretch, Millis forget_before) {
  const std::int64_t end = signed_of(stretch.end);
  const std::string_view ids(reinterpret_cast<const char*>(stretch.ids.data()),
                             stretch.ids.size() * sizeof(SeenId));
  SQLite::Statement forget(database, "DELETE FROM seen_ids WHERE newest < ?");
  forget.bind(1, forget_before);
  forget.exec();
  SQLite::Statement insert(database, "INSERT INTO seen_ids VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, end);
  insert.bind(2, stretch.max_time);
  insert.bind(3, newest_of(stretch.ids));
  insert.bind(4, checksum_of(end, stretch.max_time, ids));
  insert.bindNoCopy(5, ids.empty() ? "" : ids.data(), static_cast<int>(ids.size()));
  insert.exec();
}

std::uint64_t count_seen(const SQLite::Database& database) {
  SQLite::Statement select(database, "SELECT coalesce(sum(length(ids)), 0) FROM seen_ids");
  select.executeStep();
  return unsigned_of(select.getColumn(0)) / sizeof(SeenId);
}

std::optional<SeenStretch> read_seen(const SQLite::Database& database, const std::string& path,
                                     std::uint64_t before) {
  SQLite::Statement select(database,
                           "SELECT end, max_time, hash, ids, newest FROM seen_ids WHERE end < ? "
                           "ORDER BY end DESC LIMIT 1");
  select.bind(1, signed_of(before));
  if (!select.executeStep()) return std::nullopt;
  SeenStretch stretch;
  const std::int64_t end = select.getColumn(0).getInt64();
  stretch.end = static_cast<std::uint64_t>(end);
  stretch.max_time = select.getColumn(1).getInt64();
  const SQLite::Column column = select.getColumn(3);
  const std::string_view ids(static_cast<const char*>(column.getBlob()),
                             static_cast<std::size_t>(column.getBytes()));
  const bool same_bytes =
      checksum_of(end, stretch.max_time, ids) == select.getColumn(2).getString();
  stretch.ids.resize(ids.size() / sizeof(SeenId));
  if (!ids.empty())
    std::memcpy(stretch.ids.data(), ids.data(), stretch.ids.size() * sizeof(SeenId));
  if (!same_bytes || newest_of(stretch.ids) != select.getColumn(4).getInt64()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: the ids of the records below position {} do not match their "
                            "hash; restore the file from a backup",
                            path, end));
  }
  return stretch;
}

void check_seen(const SQLite::Database& database, const std::string& path) {
  auto stretch = read_seen(database, path, std::numeric_limits<std::int64_t>::max());
  while (stretch) stretch = read_seen(database, path, stretch->end);
}

}  // namespace freshet
