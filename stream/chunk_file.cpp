#include "stream/chunk_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "stream/checksum.h"

namespace freshet {

namespace {

constexpr int kFormat = 3;
constexpr int kPageBytes = 16384;
constexpr std::size_t kPendingBytes = 8U << 20U;
constexpr std::size_t kCachedBytes = 24U << 20U;

constexpr const char* kTables = R"(
CREATE TABLE series (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, record_bytes INTEGER NOT NULL,
  first INTEGER NOT NULL, kept INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE chunks (
  series INTEGER NOT NULL, number INTEGER NOT NULL, records INTEGER NOT NULL,
  hash TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunk_key ON chunks (series, number);
)";

constexpr const char* kPutChunk = "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)";

void put_chunk(SQLite::Statement& insert, const std::pair<std::int64_t, std::uint64_t>& key,
               std::uint64_t records, const std::string& bytes) {
  insert.bind(1, key.first);
  insert.bind(2, signed_of(key.second));
  insert.bind(3, signed_of(records));
  insert.bind(4, checksum({}, bytes));
  insert.bindNoCopy(5, bytes.data(), static_cast<int>(bytes.size()));
  insert.exec();
  insert.reset();
}

}  // namespace

ChunkFile::ChunkFile(const std::string& path, bool read_only)
    : path_(path), database_(open_database(path, read_only, kPageBytes, JournalMode::rollback)) {
  guarded(path_, [&] {
    // A batch larger than the cache would lock readers out before its commit.
    if (!read_only) database_.exec(fmt::format("PRAGMA cache_size=-{}", 3 * kPendingBytes / 2048));
    const int format = database_.execAndGet("PRAGMA user_version").getInt();
    if (format == 0 && !read_only) {
      WriteTransaction transaction(database_);
      database_.exec(kTables);
      database_.exec(fmt::format("PRAGMA user_version={}", kFormat));
      transaction.commit();
    } else if (format != kFormat) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: the row store has format {}, this build reads format {}", path_,
                              format, kFormat));
    }
  });
  if (!read_only) thread_ = std::jthread([this](const std::stop_token& stop) { write_loop(stop); });
}

ChunkFile::~ChunkFile() { thread_.request_stop(); }

std::vector<ChunkFile::SeriesRecord> ChunkFile::series() const {
  return guarded(path_, [&] {
    std::vector<SeriesRecord> all;
    SQLite::Statement select(database_,
                             "SELECT id, name, record_bytes, first, (SELECT number FROM chunks "
                             "WHERE series=id ORDER BY number DESC LIMIT 1), (SELECT records FROM "
                             "chunks WHERE series=id ORDER BY number DESC LIMIT 1), kept FROM "
                             "series");
    while (select.executeStep()) {
      SeriesRecord record;
      record.id = select.getColumn(0).getInt64();
      record.name = select.getColumn(1).getString();
      record.record_bytes = static_cast<std::size_t>(select.getColumn(2).getInt64());
      record.begin = unsigned_of(select.getColumn(3));
      record.end = record.begin;
      record.kept = unsigned_of(select.getColumn(6));
      if (!select.getColumn(4).isNull()) {
        const std::uint64_t number = unsigned_of(select.getColumn(4));
        record.end =
            std::max(record.begin, number * kChunkRecords) + unsigned_of(select.getColumn(5));
      }
      all.push_back(std::move(record));
    }
    return all;
  });
}

std::int64_t ChunkFile::add_series(const std::string& name, std::size_t record_bytes,
                                   std::uint64_t begin) {
  settle();
  return guarded(path_, [&] {
    SQLite::Statement insert(database_,
                             "INSERT INTO series (name, record_bytes, first) VALUES (?, ?, ?)");
    insert.bind(1, name);
    insert.bind(2, signed_of(record_bytes));
    insert.bind(3, signed_of(begin));
    insert.exec();
    return database_.getLastInsertRowid();
  });
}

void ChunkFile::remove_series(std::int64_t id) {
  cut(id, 0, 0, "");
  guarded(path_, [&] {
    SQLite::Statement remove(database_, "DELETE FROM series WHERE id=?");
    remove.bind(1, id);
    remove.exec();
  });
}

void ChunkFile::put(std::int64_t series, std::uint64_t number, std::uint64_t records, Chunk bytes,
                    bool complete) {
  const Key key{series, number};
  if (complete) cache(key, bytes);
  pending_bytes_ += bytes->size();
  pending_[key] = {records, std::move(bytes)};
  if (pending_bytes_ >= kPendingBytes) commit();
}

Chunk ChunkFile::get(std::int64_t series, const std::string& name, std::uint64_t number) {
  const Key key{series, number};
  const auto pending = pending_.find(key);
  if (pending != pending_.end()) return pending->second.bytes;
  if (const auto batch = writing()) {
    const auto written = batch->find(key);
    if (written != batch->end()) return written->second.bytes;
  }
  const auto cached = cached_.find(key);
  if (cached != cached_.end()) {
    recent_.splice(recent_.begin(), recent_, cached->second);
    return cached->second->second;
  }
  return guarded(path_, [&] {
    SQLite::Statement select(database_,
                             "SELECT hash, payload FROM chunks WHERE series=? AND number=?");
    select.bind(1, series);
    select.bind(2, signed_of(number));
    if (!select.executeStep()) throw missing(name, number);
    const SQLite::Column column = select.getColumn(1);
    auto bytes = std::make_shared<const std::string>(static_cast<const char*>(column.getBlob()),
                                                     static_cast<std::size_t>(column.getBytes()));
    if (bytes->empty()) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: chunk {} of series \"{}\" was dropped meanwhile, as stream.keep "
                              "says: try again",
                              path_, number, name));
    }
    if (checksum({}, *bytes) != select.getColumn(0).getString()) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: chunk {} of series \"{}\" does not match its hash: see "
                              "freshet workspace check",
                              path_, number, name));
    }
    cache(key, bytes);
    return Chunk(bytes);
  });
}

void ChunkFile::cache(const Key& key, Chunk bytes) {
  cached_bytes_ += bytes->size();
  recent_.emplace_front(key, std::move(bytes));
  const auto [place, added] = cached_.try_emplace(key, recent_.begin());
  if (!added) {
    cached_bytes_ -= place->second->second->size();
    recent_.erase(place->second);
    place->second = recent_.begin();
  }
  while (cached_bytes_ > kCachedBytes && recent_.size() > 1) {
    cached_bytes_ -= recent_.back().second->size();
    cached_.erase(recent_.back().first);
    recent_.pop_back();
  }
}

void ChunkFile::cut(std::int64_t series, std::uint64_t number, std::uint64_t records,
                    const std::string& kept) {
  std::erase_if(pending_, [&](const auto& item) {
    return item.first.first == series && item.first.second >= number;
  });
  recent_.clear();
  cached_.clear();
  cached_bytes_ = 0;
  settle();
  guarded(path_, [&] {
    WriteTransaction transaction(database_);
    SQLite::Statement remove(database_, "DELETE FROM chunks WHERE series=? AND number>=?");
    remove.bind(1, series);
    remove.bind(2, signed_of(number));
    remove.exec();
    if (records > 0) {
      SQLite::Statement insert(database_, kPutChunk);
      put_chunk(insert, {series, number}, records, kept);
    }
    transaction.commit();
  });
}

std::string ChunkFile::checksum_of(std::int64_t series, const std::string& name,
                                   std::uint64_t number) {
  const Key key{series, number};
  const auto pending = pending_.find(key);
  if (pending != pending_.end()) return checksum({}, *pending->second.bytes);
  settle();
  return guarded(path_, [&] {
    SQLite::Statement select(database_, "SELECT hash FROM chunks WHERE series=? AND number=?");
    select.bind(1, series);
    select.bind(2, signed_of(number));
    if (!select.executeStep()) throw missing(name, number);
    return select.getColumn(0).getString();
  });
}

void ChunkFile::drop(const std::vector<SeriesRecord>& series) {
  settle();
  guarded(path_, [&] {
    WriteTransaction transaction(database_);
    SQLite::Statement empty(database_,
                            "UPDATE chunks SET payload = x'' WHERE series = ?1 AND number < ?2 AND "
                            "number >= (SELECT kept / ?3 FROM series WHERE id = ?1)");
    SQLite::Statement keep(database_, "UPDATE series SET kept = ? WHERE id = ?");
    for (const SeriesRecord& record : series) {
      empty.bind(1, record.id);
      empty.bind(2, signed_of(record.kept / kChunkRecords));
      empty.bind(3, signed_of(kChunkRecords));
      empty.exec();
      empty.reset();
      keep.bind(1, signed_of(record.kept));
      keep.bind(2, record.id);
      keep.exec();
      keep.reset();
    }
    transaction.commit();
  });
}

void ChunkFile::put_dropped(std::int64_t series, const std::vector<DroppedChunk>& chunks) {
  settle();
  guarded(path_, [&] {
    WriteTransaction transaction(database_);
    SQLite::Statement insert(database_, "INSERT INTO chunks VALUES (?, ?, ?, ?, x'')");
    for (const DroppedChunk& chunk : chunks) {
      insert.bind(1, series);
      insert.bind(2, signed_of(chunk.number));
      insert.bind(3, signed_of(chunk.records));
      insert.bind(4, chunk.hash);
      insert.exec();
      insert.reset();
    }
    transaction.commit();
  });
}

Error ChunkFile::missing(const std::string& name, std::uint64_t number) const {
  return {ErrorKind::corrupt,
          fmt::format("{}: chunk {} of series \"{}\" is missing", path_, number, name)};
}

void ChunkFile::commit() {
  if (pending_.empty()) return;
  settle();
  const std::lock_guard lock(mutex_);
  writing_ = std::make_shared<const Batch>(std::exchange(pending_, {}));
  pending_bytes_ = 0;
  changed_.notify_all();
}

void ChunkFile::settle() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return writing_ == nullptr; });
  if (error_) std::rethrow_exception(error_);
}

void ChunkFile::sync() { settle(); }

std::shared_ptr<const ChunkFile::Batch> ChunkFile::writing() const {
  const std::lock_guard lock(mutex_);
  return writing_;
}

void ChunkFile::write_loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return writing_ != nullptr; })) {
    const std::shared_ptr<const Batch> batch = writing_;
    lock.unlock();
    std::exception_ptr error;
    try {
      guarded(path_, [&] { write(*batch); });
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (!error_) error_ = error;
    writing_.reset();
    changed_.notify_all();
  }
}

void ChunkFile::write(const Batch& batch) {
  WriteTransaction transaction(database_);
  SQLite::Statement insert(database_, kPutChunk);
  for (const auto& [key, chunk] : batch) put_chunk(insert, key, chunk.records, *chunk.bytes);
  transaction.commit();
}

std::vector<std::string> ChunkFile::verify() const {
  settle();
  return guarded(path_, [&] {
    // Chunk by chunk: the writer waits for a statement that reads.
    std::vector<std::pair<std::int64_t, std::int64_t>> keys;
    std::vector<std::string> damage = gaps(keys);
    SQLite::Statement select(
        database_,
        "SELECT name, hash, payload, records * record_bytes, kept FROM chunks JOIN series ON "
        "series.id = chunks.series WHERE series = ? AND number = ?");
    for (const auto& [series, number] : keys) {
      select.reset();
      select.bind(1, series);
      select.bind(2, number);
      if (!select.executeStep()) continue;  // cut or replaced since
      const SQLite::Column column = select.getColumn(2);
      const std::string_view payload(static_cast<const char*>(column.getBlob()),
                                     static_cast<std::size_t>(column.getBytes()));
      const bool dropped = number < select.getColumn(4).getInt64() / signed_of(kChunkRecords);
      if (dropped && payload.empty()) continue;
      const bool complete = select.getColumn(3).getInt64() == column.getBytes();
      if (complete && checksum({}, payload) == select.getColumn(1).getString()) continue;
      damage.push_back(fmt::format("chunk {} of series \"{}\" does not match its hash", number,
                                   select.getColumn(0).getString()));
    }
    return damage;
  });
}

/// Chunks that are not there, in words; those that are, into `keys`.
std::vector<std::string> ChunkFile::gaps(
    std::vector<std::pair<std::int64_t, std::int64_t>>& keys) const {
  std::vector<std::string> damage;
  SQLite::Statement select(database_,
                           "SELECT series, number, name, first FROM chunks LEFT JOIN series ON "
                           "series.id = chunks.series ORDER BY series, number");
  while (select.executeStep()) {
    const std::int64_t series = select.getColumn(0).getInt64();
    const std::int64_t number = select.getColumn(1).getInt64();
    const bool is_first = keys.empty() || keys.back().first != series;
    const std::int64_t expected = is_first
                                      ? select.getColumn(3).getInt64() / signed_of(kChunkRecords)
                                      : keys.back().second + 1;
    if (number != expected) {
      damage.push_back(fmt::format("chunk {} of series \"{}\" is missing, the next one is {}",
                                   expected, select.getColumn(2).getString(), number));
    }
    keys.emplace_back(series, number);
  }
  return damage;
}

}  // namespace freshet
