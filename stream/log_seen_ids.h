#pragma once

#include <functional>
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

/// All stretches, the newest first. Throws Error{corrupt} for one that does not match its hash.
void read_seen(const SQLite::Database& database, const std::string& path,
               const std::function<void(const SeenStretch&)>& each);

}  // namespace freshet
