#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <utility>

#include "stream/error.h"

namespace freshet {

/// When a commit is on disk: on its return, or at the next `sync_database`. Either survives the
/// process, and leaves a whole database after a power cut.
enum class Durability { full, deferred };

/// Opens (or, for writing, creates) a database with the pragmas of the house: WAL,
/// synchronous=FULL, 5 s of patience, foreign keys, no trusted schema, checked cells. Read-only
/// connections never write; one on a folder that cannot be written to opens the file as immutable
/// where it has no WAL. A new database has pages of `page_bytes`: large blobs are quicker with
/// large ones. Throws Error{not_found} when there is nothing to read, otherwise as `translate`
/// says.
SQLite::Database open_database(const std::string& path, bool read_only, int page_bytes = 4096,
                               Durability durability = Durability::full);

/// What was committed to a database of Durability::deferred is on disk on return. Throws
/// Error{unavailable}, once and for all: after a failed fsync the pages count as written.
/// Thread-safe: it asks the files' names only.
void sync_database(const std::string& path);

/// SQLite's exception as ours: damage is `corrupt`, everything else `unavailable`; names the file.
Error translate(const std::string& path, const SQLite::Exception& error);

/// Runs `work`, translating SQLite's exceptions.
template <class Work>
auto guarded(const std::string& path, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const SQLite::Exception& error) {
    throw translate(path, error);
  }
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
