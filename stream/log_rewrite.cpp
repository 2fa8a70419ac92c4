#include "stream/log_rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "stream/event_log_tables.h"
#include "stream/log_seen_ids.h"

namespace freshet {
namespace {

void rewrite_letters(SQLite::Database& database, const std::string& table,
                     const std::vector<LetterRewrite>& letters) {
  SQLite::Statement update(
      database, fmt::format("UPDATE {} SET raw = x'', reason = ? WHERE number = ?", table));
  for (const LetterRewrite& letter : letters) {
    update.bind(1, letter.reason);
    update.bind(2, signed_of(letter.number));
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

// Readers hold it for moments only; a backup longer.
bool empty_write_ahead_file(SQLite::Database& database, const Locked& locked) {
  constexpr int kTries = 10;
  constexpr int kPatience = 20;
  bool empty = false;
  for (int i = 0; i < kTries && !empty; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    locked([&] {
      database.setBusyTimeout(kPatience);
      {
        SQLite::Statement checkpoint(database, "PRAGMA wal_checkpoint(TRUNCATE)");
        empty = checkpoint.executeStep() && checkpoint.getColumn(0).getInt() == 0;
      }
      database.setBusyTimeout(kPatienceMilliseconds);
    });
  }
  return empty;
}

}  // namespace

bool rewrite_log(SQLite::Database& database, const LogRewrite& rewrite, const Locked& locked,
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
  return empty_write_ahead_file(database, locked);
}

}  // namespace freshet
