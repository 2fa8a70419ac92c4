#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "stream/seen_ids.h"
#include "stream/sqlite.h"

namespace freshet {

// The log's table `seen_ids` (docs/log-format.md). Used by one thread.

/// Within a transaction: adds a stretch and drops those that hold nothing newer than
/// `forget_before` (the newest stretch stays).
void put_seen(SQLite::Database& database, const SeenStretch& stretch, Millis forget_before);

/// How many ids the stretches hold.
std::uint64_t count_seen(const SQLite::Database& database);

/// The newest stretch that ends before `before`. Throws Error{corrupt} if it does not match its
/// hash.
std::optional<SeenStretch> read_seen(const SQLite::Database& database, const std::string& path,
                                     std::uint64_t before);

/// Reads all stretches. Throws as `read_seen`.
void check_seen(const SQLite::Database& database, const std::string& path);

}  // namespace freshet
