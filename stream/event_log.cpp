#include "stream/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <span>

#include "stream/event_log_tables.h"
#include "stream/log_progress.h"
#include "stream/log_seen_ids.h"
#include "stream/record_batch.h"
#include "stream/sha256.h"
#include "stream/sqlite.h"

namespace freshet {

namespace {

constexpr int kPageBytes = 16384;
constexpr std::size_t kRawBytes = 4096;
constexpr int kVerifiedOnOpen = 4;

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t unsigned_of(const SQLite::Column& column) {
  return static_cast<std::uint64_t>(column.getInt64());
}

std::uint64_t accepted(const std::vector<std::string>& records) {
  return static_cast<std::uint64_t>(std::count_if(
      records.begin(), records.end(),
      [](const std::string& record) { return kind_of(record) != RecordKind::close; }));
}

class SqliteEventLog : public EventLog {
 public:
  SqliteEventLog(const std::string& path, bool read_only)
      : path_(path), read_only_(read_only), database_(open_database(path, read_only, kPageBytes)) {}

  void create(const std::string& description) {
    guarded(path_, [&] {
      if (format() != 0) return;
      WriteTransaction transaction(database_);
      // Another process may have been first.
      if (format() == 0) {
        if (database_.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() != 0) {
          throw not_a_log();
        }
        database_.exec(kLogTables);
        database_.exec(fmt::format("PRAGMA application_id={}", kLogApplication));
        database_.exec(fmt::format("PRAGMA user_version={}", kLogFormat));
        SQLite::Statement insert(database_, "INSERT INTO meta VALUES ('description', ?)");
        insert.bind(1, description);
        insert.exec();
      }
      transaction.commit();
    });
  }

  void check_opened(const std::string* description) {
    guarded(path_, [&] {
      const int found = format();
      if (found == 0 && read_only_) {
        throw Error(ErrorKind::not_found, fmt::format("{}: the log is not made yet", path_));
      }
      if (database_.execAndGet("PRAGMA application_id").getInt() != kLogApplication)
        throw not_a_log();
      if (found != kLogFormat) {
        throw Error(ErrorKind::conflict,
                    fmt::format("{}: the log has format {}, this build reads format {}", path_,
                                found, kLogFormat));
      }
      description_ =
          database_.execAndGet("SELECT value FROM meta WHERE key='description'").getString();
    });
    if (description != nullptr && *description != description_) {
      throw Error(
          ErrorKind::conflict,
          fmt::format("{}: the log was made for another schema; use another workspace", path_));
    }
    if (read_only_) return;
    verify_tail();
    progress_.stored(all_progress());
  }

  std::uint64_t head() const override { return read_only_ ? query_head() : head_.load(); }

  std::uint64_t append(const LogBatch& batch) override {
    if (read_only_) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: the log is open for reading only", path_));
    }
    return guarded(path_, [&] {
      WriteTransaction transaction(database_);
      const std::uint64_t stored = query_head();
      if (stored != head_) {
        throw Error(ErrorKind::conflict,
                    fmt::format("{}: another writer has appended: found head {}, expected {}",
                                path_, stored, head_.load()));
      }
      const std::uint64_t head = put_records(batch.records);
      put_letters("dead_letters", batch.dead_letters);
      put_letters("late_events", batch.late);
      put_counts(batch);
      if (batch.seen) put_seen(database_, *batch.seen, batch.forget_before);
      progress_.put(database_, batch.progress, path_);
      transaction.commit();
      progress_.stored(batch.progress);
      head_ = head;
      return head;
    });
  }

  std::shared_ptr<const RecordBatch> batch(std::uint64_t position) const override {
    if (!newest_read_ || !newest_read_->holds(position)) {
      newest_read_ = load(position);
      if (!newest_read_->holds(position)) {
        throw Error(ErrorKind::corrupt,
                    fmt::format("{}: position {} is missing from the log", path_, position));
      }
    }
    return newest_read_;
  }

  IngestCounts counts() const override {
    return guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT accepted, duplicates, late, dead_letters FROM counters");
      if (!select.executeStep()) {
        throw Error(ErrorKind::corrupt, fmt::format("{}: the log's counters are missing", path_));
      }
      return IngestCounts{unsigned_of(select.getColumn(0)), unsigned_of(select.getColumn(1)),
                          unsigned_of(select.getColumn(2)), unsigned_of(select.getColumn(3))};
    });
  }

  std::uint64_t ordinals() const override {
    const IngestCounts c = counts();
    return c.accepted + c.duplicates + c.late + c.dead_letters;
  }

  std::uint64_t seen_ids() const override {
    return guarded(path_, [&] { return count_seen(database_); });
  }
  void seen(const std::function<void(const SeenStretch&)>& each) const override {
    guarded(path_, [&] { read_seen(database_, path_, each); });
  }

  std::optional<SourceProgress> progress(const std::string& name) const override {
    for (SourceProgress& progress : all_progress()) {
      if (progress.name == name) return std::move(progress);
    }
    return std::nullopt;
  }

  std::vector<SourceProgress> all_progress() const override {
    return guarded(path_, [&] { return read_progress(database_); });
  }

  std::vector<DeadLetter> dead_letters(std::uint64_t limit, std::uint64_t before) const override {
    return letters("dead_letters", limit, before);
  }
  std::vector<DeadLetter> late_events(std::uint64_t limit, std::uint64_t before) const override {
    return letters("late_events", limit, before);
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
    const auto attempt = [&](const auto& check) {
      try {
        check();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::corrupt) throw;
        damage.emplace_back(error.what());
      }
    };
    std::vector<Extent> all;
    attempt([&] { seen([](const SeenStretch&) {}); });
    std::uint64_t counted = 0;
    attempt([&] {
      SQLite::Transaction moment(database_);
      for (const std::string& line : database_damage(database_, false)) {
        damage.push_back(fmt::format("{}: {}", path_, line));
      }
      all = extents();
      counted = counts().accepted;
    });
    std::uint64_t expected = 0;
    std::uint64_t found = 0;
    for (const Extent& extent : all) {
      attempt([&] {
        if (extent.first != expected) throw gap(expected, extent.first);
      });
      expected = extent.first + extent.count;
      attempt([&] { found += load(extent.first)->accepted(); });
    }
    if (damage.empty() && found != counted) {
      damage.push_back(fmt::format("{}: the counters say {} accepted records, the batches hold {}",
                                   path_, counted, found));
    }
    return damage;
  }

 private:
  /// A batch without its payload.
  struct Extent {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };

  int format() const { return database_.execAndGet("PRAGMA user_version").getInt(); }

  Error not_a_log() const {
    return {ErrorKind::corrupt,
            fmt::format("{}: found another SQLite database, expected an event log", path_)};
  }

  Error gap(std::uint64_t expected, std::uint64_t found) const {
    return {ErrorKind::corrupt,
            fmt::format("{}: found the batch of position {}, expected position {}; restore the "
                        "file from a backup",
                        path_, found, expected)};
  }

  std::uint64_t query_head() const {
    return guarded(path_, [&] {
      SQLite::Statement select(database_,
                               "SELECT first + count FROM batches ORDER BY first DESC LIMIT 1");
      return select.executeStep() ? unsigned_of(select.getColumn(0)) : 0;
    });
  }

  std::vector<Extent> extents() const {
    return guarded(path_, [&] {
      std::vector<Extent> all;
      SQLite::Statement select(database_, "SELECT first, count FROM batches ORDER BY first");
      while (select.executeStep()) {
        all.push_back({unsigned_of(select.getColumn(0)), unsigned_of(select.getColumn(1))});
      }
      return all;
    });
  }

  // Batch by batch from the head down: a start takes no longer for a longer log.
  void verify_tail() {
    head_ = query_head();
    std::uint64_t end = head_;
    for (int i = 0; i < kVerifiedOnOpen && end > 0; ++i) {
      const auto held = load(end - 1);
      if (held->end() != end) throw gap(held->end(), end);
      end = held->first();
    }
  }

  /// The last batch that begins at or before `position`.
  std::shared_ptr<const RecordBatch> load(std::uint64_t position) const {
    try {
      return guarded(path_, [&] {
        if (!select_batch_) {
          select_batch_.emplace(database_,
                                "SELECT first, count, hash, payload FROM batches WHERE first <= "
                                "? ORDER BY first DESC LIMIT 1");
        }
        // Given back even by an exception: a statement under way keeps the WAL from being reset.
        const auto reset = [](SQLite::Statement* statement) { statement->tryReset(); };
        const std::unique_ptr<SQLite::Statement, decltype(reset)> row(&*select_batch_, reset);
        row->bind(1, signed_of(position));
        if (!row->executeStep()) {
          throw Error(ErrorKind::corrupt, fmt::format("position {} is missing", position));
        }
        const SQLite::Column payload = row->getColumn(3);
        return std::make_shared<const RecordBatch>(
            unsigned_of(row->getColumn(0)), unsigned_of(row->getColumn(1)),
            std::string(static_cast<const char*>(payload.getBlob()),
                        static_cast<std::size_t>(payload.getBytes())),
            row->getColumn(2).getString());
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt) throw;
      const std::string what = error.what();
      if (!what.starts_with(path_)) throw Error(error.kind(), path_ + ": " + what);
      throw Error(error.kind(), fmt::format("{}; found at position {}", what, position));
    }
  }

  std::uint64_t put_records(std::span<const std::string> records) {
    std::uint64_t head = head_;
    SQLite::Statement insert(database_, "INSERT INTO batches VALUES (?, ?, ?, ?)");
    while (!records.empty()) {
      const std::size_t count = batch_length(records);
      const std::string payload = batch_payload(records.first(count));
      insert.bind(1, signed_of(head));
      insert.bind(2, signed_of(count));
      insert.bind(3, batch_hash(head, count, payload));
      insert.bindNoCopy(4, payload.data(), static_cast<int>(payload.size()));
      insert.exec();
      insert.reset();
      records = records.subspan(count);
      head += count;
    }
    return head;
  }

  void put_letters(const char* table, const std::vector<DeadLetter>& letters) {
    SQLite::Statement insert(
        database_,
        fmt::format("INSERT INTO {} (source, line, raw, reason) VALUES (?, ?, ?, ?)", table));
    for (const DeadLetter& letter : letters) {
      insert.bind(1, letter.source);
      insert.bind(2, signed_of(letter.line));
      insert.bind(3, letter.raw.data(), static_cast<int>(std::min(letter.raw.size(), kRawBytes)));
      insert.bind(4, letter.reason);
      insert.exec();
      insert.reset();
    }
  }

  void put_counts(const LogBatch& batch) {
    SQLite::Statement add(database_,
                          "UPDATE counters SET accepted=accepted+?, duplicates=duplicates+?, "
                          "late=late+?, dead_letters=dead_letters+?");
    add.bind(1, signed_of(accepted(batch.records)));
    add.bind(2, signed_of(batch.duplicates));
    add.bind(3, signed_of(batch.late.size()));
    add.bind(4, signed_of(batch.dead_letters.size()));
    add.exec();
  }

  std::vector<DeadLetter> letters(const char* table, std::uint64_t limit,
                                  std::uint64_t before) const {
    return guarded(path_, [&] {
      std::vector<DeadLetter> newest;
      SQLite::Statement select(
          database_, fmt::format("SELECT source, line, raw, reason, number FROM {} WHERE number<? "
                                 "ORDER BY number DESC LIMIT ?",
                                 table));
      select.bind(1, signed_of(std::min(before, kNewest)));
      select.bind(2, signed_of(std::min<std::uint64_t>(limit, 1'000'000'000)));
      while (select.executeStep()) {
        newest.push_back({select.getColumn(0).getString(), unsigned_of(select.getColumn(1)),
                          select.getColumn(2).getString(), select.getColumn(3).getString(),
                          unsigned_of(select.getColumn(4))});
      }
      return newest;
    });
  }

  const std::string path_;
  const bool read_only_;
  mutable SQLite::Database database_;
  std::string description_;
  std::atomic<std::uint64_t> head_ = 0;  // the writer's
  ProgressWriter progress_;
  mutable std::optional<SQLite::Statement> select_batch_;
  mutable std::shared_ptr<const RecordBatch> newest_read_;  // batches never change
};

}  // namespace

void EventLog::read(std::uint64_t begin, std::uint64_t end,
                    const std::function<bool(std::uint64_t, std::string_view)>& each) const {
  for (std::uint64_t position = begin; position < end;) {
    // Held here: `each` may read this log itself.
    const std::shared_ptr<const RecordBatch> held = batch(position);
    for (; position < std::min(end, held->end()); ++position) {
      if (!each(position, held->record(position))) return;
    }
  }
}

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
