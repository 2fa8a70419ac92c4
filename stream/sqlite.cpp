#include "stream/sqlite.h"

#include <SQLiteCpp/Backup.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <system_error>

namespace freshet {

namespace {

/// A path as the part of a URI; SQLite takes ?, # and % in it as its own.
std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri;
}

bool has_bytes(const std::string& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  return !unknown && size > 0;
}

SQLite::Database connect_to_read(const std::string& path, int patience) {
  SQLite::Database database(path, SQLite::OPEN_READONLY, patience);
  database.execAndGet("SELECT count(*) FROM sqlite_schema");
  return database;
}

SQLite::Database connect(const std::string& path, bool read_only) {
  if (!read_only) {
    return SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                            kPatienceMilliseconds);
  }
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorKind::not_found, fmt::format("{}: there is no such file", path));
  }
  try {
    return connect_to_read(path, kPatienceMilliseconds);
  } catch (const SQLite::Exception& error) {
    const int code = error.getErrorCode() & 0xFF;
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) throw;
  }
  if (has_bytes(path + "-journal")) {
    // Left by a writer that died: only a writing connection may take it back.
    SQLite::Database(path, SQLite::OPEN_READWRITE, kPatienceMilliseconds)
        .execAndGet("SELECT count(*) FROM sqlite_schema");
    return connect_to_read(path, kPatienceMilliseconds);
  }
  // What stands in a WAL is part of the database: without it the file alone is not the truth.
  if (has_bytes(path + "-wal")) return connect_to_read(path, kPatienceMilliseconds);
  return SQLite::Database(uri_of(path) + "?immutable=1", SQLite::OPEN_READONLY | SQLite::OPEN_URI,
                          kPatienceMilliseconds);
}

}  // namespace

SQLite::Database open_database(const std::string& path, bool read_only, int page_bytes,
                               JournalMode journal) {
  return guarded(path, [&] {
    SQLite::Database database = connect(path, read_only);
    if (!read_only) {
      database.exec(fmt::format("PRAGMA page_size={}", page_bytes));
      database.exec(journal == JournalMode::write_ahead ? "PRAGMA journal_mode=WAL"
                                                        : "PRAGMA journal_mode=TRUNCATE");
      database.exec("PRAGMA synchronous=FULL");
      database.exec("PRAGMA secure_delete=ON");
    }
    database.exec("PRAGMA foreign_keys=ON");
    database.exec("PRAGMA trusted_schema=OFF");
    database.exec("PRAGMA cell_size_check=ON");
    return database;
  });
}

void copy_database(const std::string& from, const std::string& to) {
  SQLite::Database source = open_database(from, true);
  try {
    SQLite::Database copy(to, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    copy.exec("PRAGMA synchronous=FULL");
    // In one step: a moment, which no writer can move.
    SQLite::Backup(copy, source).executeStep(-1);
    // One file, also for readers on a medium that cannot be written to.
    copy.exec("PRAGMA journal_mode=DELETE");
  } catch (const SQLite::Exception& error) {
    const Error translated = translate(to, error);
    throw translated.kind() == ErrorKind::corrupt ? translate(from, error) : translated;
  }
}

std::vector<std::string> database_damage(SQLite::Database& database, bool thorough) {
  std::vector<std::string> damage;
  SQLite::Statement check(database,
                          thorough ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)");
  while (check.executeStep()) {
    std::string line = check.getColumn(0).getString();
    if (line != "ok") damage.push_back(std::move(line));
  }
  SQLite::Statement keys(database, "PRAGMA foreign_key_check");
  while (keys.executeStep()) {
    damage.push_back(fmt::format("a row of table {} refers to one of {} that is not there",
                                 keys.getColumn(0).getString(), keys.getColumn(2).getString()));
  }
  return damage;
}

Error translate(const std::string& path, const SQLite::Exception& error) {
  switch (error.getErrorCode() & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorKind::corrupt, fmt::format("{}: the file is damaged ({})", path, error.what())};
    case SQLITE_FULL:
      return {ErrorKind::unavailable,
              fmt::format("{}: the disk is full; nothing unfinished was kept. Make room, then run "
                          "again",
                          path)};
    case SQLITE_IOERR:
      return {ErrorKind::unavailable,
              fmt::format("{}: reading or writing failed ({}); nothing unfinished was kept. Check "
                          "the disk and its room, then run again",
                          path, error.what())};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return {ErrorKind::unavailable,
              fmt::format("{}: cannot be opened ({}); check that the folder exists and may be "
                          "written to",
                          path, error.what())};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorKind::unavailable,
              fmt::format("{}: locked by another process for over 5 s", path)};
    default:
      return {ErrorKind::unavailable, fmt::format("{}: {}", path, error.what())};
  }
}

void throw_translated(const std::string& path, const SQLite::Exception& error) {
  const Error translated = translate(path, error);
  if ((error.getErrorCode() & 0xFF) == SQLITE_FULL) throw NoRoom(translated.what());
  throw translated;
}

}  // namespace freshet
