#include "stream/event_log_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "stream/event.h"

namespace freshet {
namespace {

constexpr int kLogApplication = 0x46724C67;  // "FrLg", in the file's header
constexpr int kLogFormat = 3;

constexpr const char* kLogTables = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE batches (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, hash TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE dropped (stretch INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
CREATE TABLE counters (
  accepted INTEGER NOT NULL, duplicates INTEGER NOT NULL, late INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (0, 0, 0, 0);
CREATE TABLE seen_ids (
  end INTEGER PRIMARY KEY, max_time INTEGER NOT NULL, newest INTEGER NOT NULL, hash TEXT NOT NULL,
  ids BLOB NOT NULL
) STRICT;
CREATE TABLE dead_letters (
  number INTEGER PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, raw BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE late_events (
  number INTEGER PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, raw BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE progress (
  name TEXT PRIMARY KEY, identity TEXT NOT NULL, bytes INTEGER NOT NULL, records INTEGER NOT NULL,
  rolling_hash TEXT NOT NULL, header TEXT NOT NULL
) STRICT;
)";

int format_of(SQLite::Database& database) {
  return database.execAndGet("PRAGMA user_version").getInt();
}

Error not_a_log(const std::string& path) {
  return {ErrorKind::corrupt,
          fmt::format("{}: found another SQLite database, expected an event log", path)};
}

}  // namespace

void create_log(SQLite::Database& database, const std::string& path,
                const std::string& description) {
  if (format_of(database) != 0) return;
  WriteTransaction transaction(database);
  // Another process may have been first.
  if (format_of(database) == 0) {
    if (database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() != 0) {
      throw not_a_log(path);
    }
    database.exec(kLogTables);
    database.exec(fmt::format("PRAGMA application_id={}", kLogApplication));
    database.exec(fmt::format("PRAGMA user_version={}", kLogFormat));
    SQLite::Statement insert(database, "INSERT INTO meta VALUES ('description', ?)");
    insert.bind(1, description);
    insert.exec();
  }
  transaction.commit();
}

std::vector<BatchExtent> read_extents(const SQLite::Database& database) {
  std::vector<BatchExtent> all;
  SQLite::Statement select(database, "SELECT first, count FROM batches ORDER BY first");
  while (select.executeStep()) {
    all.push_back({unsigned_of(select.getColumn(0)), unsigned_of(select.getColumn(1))});
  }
  return all;
}

IngestCounts read_counts(const SQLite::Database& database, const std::string& path) {
  SQLite::Statement select(database,
                           "SELECT accepted, duplicates, late, dead_letters FROM counters");
  if (!select.executeStep()) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: the log's counters are missing", path));
  }
  return {unsigned_of(select.getColumn(0)), unsigned_of(select.getColumn(1)),
          unsigned_of(select.getColumn(2)), unsigned_of(select.getColumn(3))};
}

void add_counts(SQLite::Database& database, const LogBatch& batch) {
  const auto accepted =
      std::count_if(batch.records.begin(), batch.records.end(),
                    [](const std::string& record) { return kind_of(record) <= RecordKind::label; });
  SQLite::Statement add(database,
                        "UPDATE counters SET accepted=accepted+?, duplicates=duplicates+?, "
                        "late=late+?, dead_letters=dead_letters+?");
  add.bind(1, static_cast<std::int64_t>(accepted));
  add.bind(2, signed_of(batch.duplicates));
  add.bind(3, signed_of(batch.late.size()));
  add.bind(4, signed_of(batch.dead_letters.size()));
  add.exec();
}

std::uint64_t stored_head(const SQLite::Database& database) {
  SQLite::Statement select(database,
                           "SELECT first + count FROM batches ORDER BY first DESC LIMIT 1");
  return select.executeStep() ? unsigned_of(select.getColumn(0)) : 0;
}

std::uint64_t oldest_stored(const SQLite::Database& database) {
  SQLite::Statement select(database, "SELECT coalesce(min(first), 0) FROM batches");
  select.executeStep();
  return unsigned_of(select.getColumn(0));
}

std::string check_log(SQLite::Database& database, const std::string& path, bool read_only) {
  const int found = format_of(database);
  if (found == 0 && read_only) {
    throw Error(ErrorKind::not_found, fmt::format("{}: the log is not made yet", path));
  }
  if (database.execAndGet("PRAGMA application_id").getInt() != kLogApplication) {
    throw not_a_log(path);
  }
  if (found != kLogFormat) {
    throw Error(ErrorKind::conflict,
                fmt::format("{}: the log has format {}, this build reads format {}", path, found,
                            kLogFormat));
  }
  return database.execAndGet("SELECT value FROM meta WHERE key='description'").getString();
}

}  // namespace freshet
