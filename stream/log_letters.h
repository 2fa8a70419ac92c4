#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stream/event_log.h"
#include "stream/sqlite.h"

namespace freshet {

// The log's tables of records that did not become events: `dead_letters` and `late_events`
// (docs/log-format.md), which are alike. Used by one thread.

/// Within a transaction.
void put_letters(SQLite::Database& database, const std::string& table,
                 const std::vector<DeadLetter>& letters);

/// The newest `limit` numbered below `before`, newest first.
std::vector<DeadLetter> letters(const SQLite::Database& database, const std::string& table,
                                std::uint64_t limit, std::uint64_t before);

}  // namespace freshet
