#include "stream/log_rewrite.h"

#include <fmt/format.h>

#include <algorithm>

#include "stream/event_log_tables.h"
#include "stream/log_seen_ids.h"

namespace freshet {
namespace {

// The reason may quote the record.
void rewrite_letters(SQLite::Database& database, const std::string& table,
                     const std::vector<std::uint64_t>& numbers) {
  SQLite::Statement update(
      database, fmt::format("UPDATE {} SET raw = x'', reason = 'erased' WHERE number = ?", table));
  for (const std::uint64_t number : numbers) {
    update.bind(1, signed_of(number));
    update.exec();
    update.reset();
  }
}

void rewrite_beside_records(SQLite::Database& database, const LogRewrite& rewrite) {
  rewrite_letters(database, "dead_letters", rewrite.dead_letters);
  rewrite_letters(database, "late_events", rewrite.late_events);
  if (!rewrite.seen) return;
  SQLite::Statement select(database, "SELECT coalesce(max(end), 0) FROM seen_ids");
  select.executeStep();
  // Another stretch may have come to be meanwhile; done again, the ids are gone from the records.
  if (unsigned_of(select.getColumn(0)) >= rewrite.seen->end) return;
  put_seen(database, *rewrite.seen, Watermark::kNone);
}

void rewrite_batch(SQLite::Database& database, const RecordBatch& batch,
                   const LogRewrite& rewrite) {
  std::vector<std::string> records;
  for (std::uint64_t position = batch.first(); position < batch.end(); ++position) {
    const bool named =
        std::binary_search(rewrite.positions.begin(), rewrite.positions.end(), position);
    records.push_back(named ? rewrite.record(position, batch.record(position))
                            : std::string(batch.record(position)));
  }
  const std::string payload = batch_payload(records);
  WriteTransaction transaction(database);
  SQLite::Statement update(database, "UPDATE batches SET hash = ?, payload = ? WHERE first = ?");
  update.bind(1, batch_hash(batch.first(), records.size(), payload));
  update.bindNoCopy(2, payload.data(), static_cast<int>(payload.size()));
  update.bind(3, signed_of(batch.first()));
  update.exec();
  transaction.commit();
}

}  // namespace

bool truncate_write_ahead(SQLite::Database& database) {
  database.setBusyTimeout(0);
  bool empty = false;
  try {
    SQLite::Statement checkpoint(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    empty = checkpoint.executeStep() && checkpoint.getColumn(0).getInt() == 0;
  } catch (const SQLite::Exception&) {
    empty = false;  // in use; where the disk refuses, the next append says so
  }
  database.setBusyTimeout(kPatienceMilliseconds);
  return empty;
}

void rewrite_log(SQLite::Database& database, const LogRewrite& rewrite, const Locked& locked,
                 const LoadBatch& load) {
  locked([&] {
    WriteTransaction transaction(database);
    rewrite_beside_records(database, rewrite);
    transaction.commit();
  });
  std::uint64_t done = 0;
  for (const std::uint64_t position : rewrite.positions) {
    if (position < done) continue;
    locked([&] {
      if (position < oldest_stored(database)) return;  // dropped meanwhile
      const auto held = load(position);
      rewrite_batch(database, *held, rewrite);
      done = held->end();
    });
  }
}

}  // namespace freshet
