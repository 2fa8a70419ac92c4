#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "stream/sqlite.h"

namespace freshet {

// The log's table `dropped` (docs/log-format.md): the hashes of the stretches of records that are
// gone, 0, 1, 2 … Used by one thread.

std::uint64_t count_dropped(const SQLite::Database& database);

void each_dropped(const SQLite::Database& database,
                  const std::function<void(const std::string& hash)>& each);

/// Within a transaction: the stretch `number`, whose records end at position `end`, goes; with it
/// the batches that hold nothing from `end` on, but for the last.
void put_dropped(SQLite::Database& database, std::uint64_t number, const std::string& hash,
                 std::uint64_t end);

}  // namespace freshet
