#include "stream/log_progress.h"

#include <fmt/format.h>

#include <cstdint>

#include "stream/error.h"

namespace freshet {
std::vector<SourceProgress> read_progress(const SQLite::Database& database) {
  std::vector<SourceProgress> all;
  SQLite::Statement select(database,
                           "SELECT name, identity, bytes, records, rolling_hash, header FROM "
                           "progress ORDER BY name");
  while (select.executeStep()) {
    all.push_back({select.getColumn(0).getString(), select.getColumn(1).getString(),
                   unsigned_of(select.getColumn(2)), unsigned_of(select.getColumn(3)),
                   select.getColumn(4).getString(), select.getColumn(5).getString()});
  }
  return all;
}

void ProgressWriter::put(SQLite::Database& database, const std::vector<SourceProgress>& all,
                         const std::string& path) const {
  SQLite::Statement insert(database, "INSERT OR IGNORE INTO progress VALUES (?, ?, ?, ?, ?, ?)");
  SQLite::Statement update(
      database,
      "UPDATE progress SET identity=?2, bytes=?3, records=?4, rolling_hash=?5, header=?6 "
      "WHERE name=?1 AND bytes=?7 AND records=?8");
  for (const SourceProgress& progress : all) {
    const auto before = stored_.find(progress.name);
    const bool is_new = before == stored_.end();
    if (!is_new && before->second == progress) continue;
    SQLite::Statement& statement = is_new ? insert : update;
    statement.bind(1, progress.name);
    statement.bind(2, progress.identity);
    statement.bind(3, signed_of(progress.offset));
    statement.bind(4, signed_of(progress.records));
    statement.bind(5, progress.rolling_hash);
    statement.bind(6, progress.header);
    if (!is_new) {
      statement.bind(7, signed_of(before->second.offset));
      statement.bind(8, signed_of(before->second.records));
    }
    if (statement.exec() != 1) {
      throw Error(ErrorKind::conflict,
                  fmt::format("{}: another writer has read {}: start again to go on where it "
                              "stopped",
                              path, progress.name));
    }
    statement.reset();
  }
}

void ProgressWriter::stored(const std::vector<SourceProgress>& all) {
  for (const SourceProgress& progress : all) stored_[progress.name] = progress;
}

}  // namespace freshet
