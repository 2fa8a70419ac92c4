#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stream/event_log.h"
#include "stream/sqlite.h"

namespace freshet {

// What an event log's file is made of; docs/log-format.md explains each table and column.

/// Makes an empty database a log, if it is not one yet. Throws Error{corrupt} for another database.
void create_log(SQLite::Database& database, const std::string& path,
                const std::string& description);

/// The description that the log was made with. Throws Error{conflict} naming both formats for one
/// of another format, Error{corrupt} for another database, and for a reader Error{not_found} where
/// nothing was made yet.
std::string check_log(SQLite::Database& database, const std::string& path, bool read_only);

/// A batch without its payload.
struct BatchExtent {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// All batches, in order.
std::vector<BatchExtent> read_extents(const SQLite::Database& database);

/// Throws Error{corrupt} where they are missing.
IngestCounts read_counts(const SQLite::Database& database, const std::string& path);
/// Adds what a batch brings.
void add_counts(SQLite::Database& database, const LogBatch& batch);

/// The position after the last record.
std::uint64_t stored_head(const SQLite::Database& database);
/// The first position that a batch holds; 0 without any.
std::uint64_t oldest_stored(const SQLite::Database& database);

}  // namespace freshet
