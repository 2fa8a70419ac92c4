#include "stream/chunk_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "stream/checksum.h"

namespace freshet {

namespace {

constexpr int kFormat = 2;
constexpr int kPageBytes = 16384;
constexpr std::size_t kPendingBytes = 8U << 20U;
constexpr std::size_t kCachedBytes = 24U << 20U;

constexpr const char* kTables = R"(
CREATE TABLE series (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, record_bytes INTEGER NOT NULL,
  first INTEGER NOT NULL
) STRICT;
CREATE TABLE chunks (
  series INTEGER NOT NULL, number INTEGER NOT NULL, records INTEGER NOT NULL,
  hash TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunk_key ON chunks (series, number);
)";

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

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
                             "chunks WHERE series=id ORDER BY number DESC LIMIT 1) FROM series");
    while (select.executeStep()) {
      SeriesRecord record;
      record.id = select.getColumn(0).getInt64();
      record.name = select.getColumn(1).getString();
      record.record_bytes = static_cast<std::size_t>(select.getColumn(2).getInt64());
      record.begin = unsigned_of(select.getColumn(3).getInt64());
      record.end = record.begin;
      if (!select.getColumn(4).isNull()) {
        const std::uint64_t number = unsigned_of(select.getColumn(4).getInt64());
        record.end = std::max(record.begin, number * ChunkSeries::kChunk) +
                     unsigned_of(select.getColumn(5).getInt64());
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
    if (!select.executeStep()) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: chunk {} of series \"{}\" is missing", path_, number, name));
    }
    const SQLite::Column column = select.getColumn(1);
    auto bytes = std::make_shared<const std::string>(static_cast<const char*>(column.getBlob()),
                                                     static_cast<std::size_t>(column.getBytes()));
    if (checksum({}, *bytes) != select.getColumn(0).getString()) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: chunk {} of series \"{}\" does not match its hash; delete the "
                              "file to have it derived from the log again",
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
        "SELECT name, hash, payload, records * record_bytes FROM chunks JOIN series ON series.id = "
        "chunks.series WHERE series = ? AND number = ?");
    for (const auto& [series, number] : keys) {
      select.reset();
      select.bind(1, series);
      select.bind(2, number);
      if (!select.executeStep()) continue;  // cut or replaced since
      const SQLite::Column column = select.getColumn(2);
      const std::string_view payload(static_cast<const char*>(column.getBlob()),
                                     static_cast<std::size_t>(column.getBytes()));
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
    const std::int64_t expected =
        is_first ? select.getColumn(3).getInt64() / signed_of(ChunkSeries::kChunk)
                 : keys.back().second + 1;
    if (number != expected) {
      damage.push_back(fmt::format("chunk {} of series \"{}\" is missing, the next one is {}",
                                   expected, select.getColumn(2).getString(), number));
    }
    keys.emplace_back(series, number);
  }
  return damage;
}

ChunkSeries::ChunkSeries(ChunkFile& file, ChunkFile::SeriesRecord record, bool read_only)
    : file_(file), record_(std::move(record)) {
  if (!read_only) cut(record_.end);
}

const char* ChunkSeries::chunk(std::uint64_t number) {
  if (has_tail_ && number == record_.end / kChunk) return tail_.data();
  if (read_number_ != number) {
    read_chunk_ = file_.get(record_.id, record_.name, number);
    read_number_ = number;
  }
  return read_chunk_->data();
}

void ChunkSeries::append(const void* records, std::uint64_t count) {
  const auto* from = static_cast<const char*>(records);
  has_tail_ = true;
  while (count > 0) {
    const std::uint64_t number = record_.end / kChunk;
    const std::uint64_t room = (number + 1) * kChunk - record_.end;
    const std::uint64_t taken = std::min(room, count);
    tail_.append(from, taken * record_.record_bytes);
    from += taken * record_.record_bytes;
    count -= taken;
    record_.end += taken;
    tail_written_ = false;
    if (taken < room) return;
    const std::uint64_t records_in = record_.end - chunk_begin(number);
    auto bytes = std::make_shared<const std::string>(std::move(tail_));
    file_.put(record_.id, number, records_in, std::move(bytes), true);
    tail_.clear();
    tail_.reserve(kChunk * record_.record_bytes);
    tail_written_ = true;
  }
}

void ChunkSeries::read(std::uint64_t begin, std::uint64_t end, void* out) {
  if (begin < record_.begin || end > record_.end || begin > end) {
    throw Error(ErrorKind::invalid,
                fmt::format("series \"{}\" holds [{}, {}), asked for [{}, {})", record_.name,
                            record_.begin, record_.end, begin, end));
  }
  auto* to = static_cast<char*>(out);
  while (begin < end) {
    const std::uint64_t number = begin / kChunk;
    const std::uint64_t count = std::min(end, (number + 1) * kChunk) - begin;
    const char* from = chunk(number) + (begin - chunk_begin(number)) * record_.record_bytes;
    std::memcpy(to, from, count * record_.record_bytes);
    to += count * record_.record_bytes;
    begin += count;
  }
}

void ChunkSeries::flush() {
  if (tail_written_ || tail_.empty()) return;
  const std::uint64_t number = record_.end / kChunk;
  file_.put(record_.id, number, record_.end - chunk_begin(number),
            std::make_shared<const std::string>(tail_), false);
  tail_written_ = true;
}

void ChunkSeries::cut(std::uint64_t end) {
  end = std::clamp(end, record_.begin, record_.end);
  const std::uint64_t number = end / kChunk;
  const std::uint64_t kept = end > chunk_begin(number) ? end - chunk_begin(number) : 0;
  std::string tail;
  if (kept > 0) tail.assign(chunk(number), kept * record_.record_bytes);
  if (end != record_.end) file_.cut(record_.id, number, kept, tail);
  tail_ = std::move(tail);
  tail_written_ = true;
  record_.end = end;
  has_tail_ = true;
  read_number_ = ~std::uint64_t{0};
}

}  // namespace freshet
