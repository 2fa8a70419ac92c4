#include "stream/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "stream/sha256.h"
#include "stream/sqlite.h"

namespace freshet {

namespace {

constexpr int kFormat = 1;
constexpr std::size_t kBatchRecords = 4096;
constexpr std::size_t kRawBytes = 4096;
constexpr int kVerifiedOnOpen = 4;

constexpr const char* kTables = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE batches (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, sha256 TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE counters (
  accepted INTEGER NOT NULL, duplicates INTEGER NOT NULL, late INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (0, 0, 0, 0);
CREATE TABLE refused (
  number INTEGER PRIMARY KEY AUTOINCREMENT, late INTEGER NOT NULL, source TEXT NOT NULL,
  line INTEGER NOT NULL, raw BLOB NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX refused_by_kind ON refused (late, number);
CREATE TABLE progress (
  name TEXT PRIMARY KEY, identity TEXT NOT NULL, bytes INTEGER NOT NULL, records INTEGER NOT NULL,
  rolling_hash TEXT NOT NULL, header TEXT NOT NULL
) STRICT;
)";

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

SourceProgress progress_of(SQLite::Statement& row) {
  SourceProgress progress;
  progress.name = row.getColumn(0).getString();
  progress.identity = row.getColumn(1).getString();
  progress.offset = unsigned_of(row.getColumn(2).getInt64());
  progress.records = unsigned_of(row.getColumn(3).getInt64());
  progress.rolling_hash = row.getColumn(4).getString();
  progress.header = row.getColumn(5).getString();
  return progress;
}

class SqliteEventLog : public EventLog {
 public:
  SqliteEventLog(const std::string& path, bool read_only)
      : path_(path), read_only_(read_only), database_(open_database(path, read_only)) {}

  void create(const std::string& description) {
    guarded(path_, [&] {
      WriteTransaction transaction(database_);
      if (database_.execAndGet("PRAGMA user_version").getInt() == 0) {
        database_.exec(kTables);
        database_.exec(fmt::format("PRAGMA user_version={}", kFormat));
        SQLite::Statement insert(database_, "INSERT INTO meta VALUES ('description', ?)");
        insert.bind(1, description);
        insert.exec();
      }
      transaction.commit();
    });
  }

  void check_opened(const std::string* description) {
    guarded(path_, [&] {
      const int format = database_.execAndGet("PRAGMA user_version").getInt();
      if (format != kFormat) {
        throw Error(ErrorKind::corrupt, fmt::format("{}: the log has format {}, this build reads "
                                                    "format {}",
                                                    path_, format, kFormat));
      }
      description_ =
          database_.execAndGet("SELECT value FROM meta WHERE key='description'").getString();
    });
    if (description != nullptr && *description != description_) {
      throw Error(
          ErrorKind::conflict,
          fmt::format("{}: the log was made for another schema; use another workspace", path_));
    }
    if (!read_only_) {
      head_ = query_head();
      verify_tail();
    }
  }

  std::uint64_t head() const override { return read_only_ ? query_head() : head_; }

  std::uint64_t append(const LogBatch& batch) override {
    return guarded(path_, [&] {
      WriteTransaction transaction(database_);
      std::uint64_t head = head_;
      for (std::size_t begin = 0; begin < batch.records.size(); begin += kBatchRecords) {
        const std::size_t count = std::min(kBatchRecords, batch.records.size() - begin);
        insert_batch(head, &batch.records[begin], count);
        head += count;
      }
      for (const DeadLetter& letter : batch.dead_letters) insert_refused(letter, false);
      for (const DeadLetter& letter : batch.late) insert_refused(letter, true);
      SQLite::Statement count(database_,
                              "UPDATE counters SET accepted=accepted+?, duplicates=duplicates+?, "
                              "late=late+?, dead_letters=dead_letters+?");
      count.bind(1, signed_of(batch.records.size()));
      count.bind(2, signed_of(batch.duplicates));
      count.bind(3, signed_of(batch.late.size()));
      count.bind(4, signed_of(batch.dead_letters.size()));
      count.exec();
      for (const SourceProgress& progress : batch.progress) put_progress(progress);
      transaction.commit();
      head_ = head;
      return head;
    });
  }

  void read(std::uint64_t begin, std::uint64_t end,
            const std::function<bool(std::uint64_t, std::string_view)>& each) const override {
    if (begin >= end) return;
    guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT first, count, sha256, payload FROM batches WHERE first >= "
                               "(SELECT coalesce(max(first), 0) FROM batches WHERE first <= ?1) "
                               "AND first < ?2 ORDER BY first");
      select.bind(1, signed_of(begin));
      select.bind(2, signed_of(end));
      std::uint64_t expected = begin;
      while (select.executeStep()) {
        const std::string_view payload = checked_payload(select);
        const std::uint64_t first = unsigned_of(select.getColumn(0).getInt64());
        if (first > expected) throw gap(expected, first);
        expected = first + unsigned_of(select.getColumn(1).getInt64());
        if (!walk(payload, first, begin, end, each)) return;
      }
      if (expected < end) throw gap(expected, end);
    });
  }

  IngestCounts counts() const override {
    return guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT accepted, duplicates, late, dead_letters FROM counters");
      select.executeStep();
      IngestCounts counts;
      counts.accepted = unsigned_of(select.getColumn(0).getInt64());
      counts.duplicates = unsigned_of(select.getColumn(1).getInt64());
      counts.late = unsigned_of(select.getColumn(2).getInt64());
      counts.dead_letters = unsigned_of(select.getColumn(3).getInt64());
      return counts;
    });
  }

  std::uint64_t ordinals() const override {
    const IngestCounts c = counts();
    return c.accepted + c.duplicates + c.late + c.dead_letters;
  }

  std::optional<SourceProgress> progress(const std::string& name) const override {
    for (SourceProgress& progress : all_progress()) {
      if (progress.name == name) return std::move(progress);
    }
    return std::nullopt;
  }

  std::vector<SourceProgress> all_progress() const override {
    return guarded(path_, [&] {
      std::vector<SourceProgress> all;
      SQLite::Statement select(database_, "SELECT * FROM progress ORDER BY name");
      while (select.executeStep()) all.push_back(progress_of(select));
      return all;
    });
  }

  std::vector<DeadLetter> dead_letters(std::uint64_t limit) const override {
    return refused(false, limit);
  }
  std::vector<DeadLetter> late_events(std::uint64_t limit) const override {
    return refused(true, limit);
  }

  const std::string& description() const override { return description_; }

  std::string content_hash() const override {
    Sha256 hash;
    read(0, head(), [&](std::uint64_t, std::string_view record) {
      const auto size = static_cast<std::uint32_t>(record.size());
      hash.add({reinterpret_cast<const char*>(&size), sizeof size});
      hash.add(record);
      return true;
    });
    return hash.hex();
  }

  std::vector<std::string> verify() const override {
    std::vector<std::string> damage;
    guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT first, count, sha256, payload FROM batches ORDER BY first");
      std::uint64_t expected = 0;
      while (select.executeStep()) {
        const std::uint64_t first = unsigned_of(select.getColumn(0).getInt64());
        if (first != expected) damage.emplace_back(gap(expected, first).what());
        expected = first + unsigned_of(select.getColumn(1).getInt64());
        try {
          checked_payload(select);
        } catch (const Error& error) {
          damage.emplace_back(error.what());
        }
      }
    });
    return damage;
  }

 private:
  std::uint64_t query_head() const {
    return guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT first + count FROM batches ORDER BY first DESC LIMIT 1");
      return select.executeStep() ? unsigned_of(select.getColumn(0).getInt64()) : 0;
    });
  }

  void verify_tail() const {
    guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT first, count, sha256, payload FROM batches ORDER BY first "
                               "DESC LIMIT ?");
      select.bind(1, kVerifiedOnOpen);
      while (select.executeStep()) checked_payload(select);
    });
  }

  Error gap(std::uint64_t from, std::uint64_t to) const {
    return {ErrorKind::corrupt,
            fmt::format("{}: positions [{}, {}) are missing from the log", path_, from, to)};
  }

  std::string_view checked_payload(SQLite::Statement& row) const {
    const SQLite::Column column = row.getColumn(3);
    const std::string_view payload(static_cast<const char*>(column.getBlob()),
                                   static_cast<std::size_t>(column.getBytes()));
    if (sha256_hex(payload) != row.getColumn(2).getString()) {
      const std::int64_t first = row.getColumn(0).getInt64();
      throw Error(
          ErrorKind::corrupt,
          fmt::format("{}: the batch of positions [{}, {}) does not match its hash; restore "
                      "the file from a backup",
                      path_, first, first + row.getColumn(1).getInt64()));
    }
    return payload;
  }

  bool walk(std::string_view payload, std::uint64_t position, std::uint64_t begin,
            std::uint64_t end,
            const std::function<bool(std::uint64_t, std::string_view)>& each) const {
    while (!payload.empty()) {
      std::uint32_t size = 0;
      std::memcpy(&size, payload.data(), sizeof size);
      if (position >= end) return false;
      if (position >= begin && !each(position, payload.substr(sizeof size, size))) return false;
      payload.remove_prefix(sizeof size + size);
      ++position;
    }
    return true;
  }

  void insert_batch(std::uint64_t first, const std::string* records, std::size_t count) {
    payload_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const auto size = static_cast<std::uint32_t>(records[i].size());
      payload_.append(reinterpret_cast<const char*>(&size), sizeof size);
      payload_.append(records[i]);
    }
    SQLite::Statement insert(database_, "INSERT INTO batches VALUES (?, ?, ?, ?)");
    insert.bind(1, signed_of(first));
    insert.bind(2, signed_of(count));
    insert.bind(3, sha256_hex(payload_));
    insert.bindNoCopy(4, payload_.data(), static_cast<int>(payload_.size()));
    insert.exec();
  }

  void insert_refused(const DeadLetter& letter, bool late) {
    SQLite::Statement insert(
        database_, "INSERT INTO refused (late, source, line, raw, reason) VALUES (?, ?, ?, ?, ?)");
    insert.bind(1, late ? 1 : 0);
    insert.bind(2, letter.source);
    insert.bind(3, signed_of(letter.line));
    const std::size_t size = std::min(letter.raw.size(), kRawBytes);
    insert.bind(4, letter.raw.data(), static_cast<int>(size));
    insert.bind(5, letter.reason);
    insert.exec();
  }

  void put_progress(const SourceProgress& progress) {
    SQLite::Statement put(database_, "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?)");
    put.bind(1, progress.name);
    put.bind(2, progress.identity);
    put.bind(3, signed_of(progress.offset));
    put.bind(4, signed_of(progress.records));
    put.bind(5, progress.rolling_hash);
    put.bind(6, progress.header);
    put.exec();
  }

  std::vector<DeadLetter> refused(bool late, std::uint64_t limit) const {
    return guarded(path_, [&] {
      std::vector<DeadLetter> letters;
      SQLite::Statement select(database_,
                               "SELECT source, line, raw, reason FROM refused WHERE late=? "
                               "ORDER BY number DESC LIMIT ?");
      select.bind(1, late ? 1 : 0);
      select.bind(2, signed_of(std::min<std::uint64_t>(limit, 1'000'000'000)));
      while (select.executeStep()) {
        letters.push_back({select.getColumn(0).getString(),
                           unsigned_of(select.getColumn(1).getInt64()),
                           select.getColumn(2).getString(), select.getColumn(3).getString()});
      }
      return letters;
    });
  }

  const std::string path_;
  const bool read_only_;
  mutable SQLite::Database database_;
  std::string description_;
  std::uint64_t head_ = 0;
  std::string payload_;  // reused
};

}  // namespace

std::unique_ptr<EventLog> EventLog::open(const std::string& path, const std::string& description) {
  auto log = std::make_unique<SqliteEventLog>(path, false);
  log->create(description);
  log->check_opened(&description);
  return log;
}

std::unique_ptr<EventLog> EventLog::open_reader(const std::string& path) {
  auto log = std::make_unique<SqliteEventLog>(path, true);
  log->check_opened(nullptr);
  return log;
}

}  // namespace freshet
