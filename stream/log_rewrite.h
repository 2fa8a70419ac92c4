#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "stream/event_log.h"
#include "stream/record_batch.h"
#include "stream/sqlite.h"

namespace freshet {

// How a log's stored records, and what was refused, are replaced (docs/log-format.md).

/// Runs work while nobody else uses the connection.
using Locked = std::function<void(const std::function<void()>&)>;
using LoadBatch = std::function<std::shared_ptr<const RecordBatch>(std::uint64_t position)>;

/// As EventLog::rewrite.
void rewrite_log(SQLite::Database& database, const LogRewrite& rewrite, const Locked& locked,
                 const LoadBatch& load);

/// Whether the write-ahead file is empty now; who reads it is not waited for.
bool truncate_write_ahead(SQLite::Database& database);

}  // namespace freshet
