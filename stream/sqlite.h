#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stream/error.h"

namespace freshet {

/// How long a connection waits for another that has locked the database.
inline constexpr int kPatienceMilliseconds = 5000;

/// How a database keeps a transaction whole. In a write-ahead log, readers and the writer never
/// wait for each other and each page is written twice; with a rollback journal what is appended is
/// written once, and readers, each a short while, wait for a commit and it for them.
enum class JournalMode { write_ahead, rollback };

/// Opens (or, for writing, creates) a database with the pragmas of the house: synchronous=FULL (a
/// commit is on disk on return), 5 s of patience, foreign keys, no trusted schema, checked cells,
/// zeros over what is deleted. Read-only connections change nothing, except that they take back
/// what a writer that died left unfinished in a rollback journal; one on a folder that cannot be
/// written to opens the file as immutable where no journal stands beside it. A new database has
/// pages of `page_bytes`: large blobs are quicker with large ones. Throws Error{not_found} when
/// there is nothing to read, otherwise as `translate` says.
SQLite::Database open_database(const std::string& path, bool read_only, int page_bytes = 4096,
                               JournalMode journal = JournalMode::write_ahead);

/// Copies a database, as its readers see it at one moment, into a new file; durable on return. A
/// writer of `from` that writes ahead is not held up. Throws Error{corrupt} naming `from` when it
/// is damaged, what `translate` says of `to` otherwise.
void copy_database(const std::string& from, const std::string& to);

/// What `PRAGMA quick_check` (or integrity_check, when `thorough`) and foreign_key_check find, each
/// in words; empty: all is well. Reads the whole file; who writes ahead is not held up.
std::vector<std::string> database_damage(SQLite::Database& database, bool thorough);

/// SQLite's exception as ours: damage is `corrupt`, everything else `unavailable`; names the file.
Error translate(const std::string& path, const SQLite::Exception& error);
/// Throws what `translate` says, a full disk as NoRoom.
[[noreturn]] void throw_translated(const std::string& path, const SQLite::Exception& error);

/// Runs `work`, translating SQLite's exceptions.
template <class Work>
auto guarded(const std::string& path, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const SQLite::Exception& error) {
    throw_translated(path, error);
  }
}

// SQLite's integers are signed; positions, numbers and counts are below 2^63.
inline std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline std::uint64_t unsigned_of(const SQLite::Column& column) {
  return static_cast<std::uint64_t>(column.getInt64());
}

/// `BEGIN IMMEDIATE` … `COMMIT`; rolled back when it goes out of scope uncommitted.
class WriteTransaction {
 public:
  explicit WriteTransaction(SQLite::Database& database) : database_(database) {
    database_.exec("BEGIN IMMEDIATE");
  }
  ~WriteTransaction() {
    // Some errors (a full disk) have rolled back already.
    if (!committed_) database_.tryExec("ROLLBACK");
  }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  void commit() {
    database_.exec("COMMIT");
    committed_ = true;
  }

 private:
  SQLite::Database& database_;
  bool committed_ = false;
};

}  // namespace freshet
