#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "stream/event_log.h"
#include "stream/record_batch.h"
#include "stream/sqlite.h"

namespace freshet {

// How a log's stored records, and what was refused, are replaced (docs/log-format.md).

/// Runs work while nobody else writes.
using Locked = std::function<void(const std::function<void()>&)>;
using LoadBatch = std::function<std::shared_ptr<const RecordBatch>(std::uint64_t position)>;

/// As EventLog::rewrite.
bool rewrite_log(SQLite::Database& database, const LogRewrite& rewrite, const Locked& locked,
                 const LoadBatch& load);

}  // namespace freshet
