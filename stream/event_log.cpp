#include "stream/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "stream/event_log_tables.h"
#include "stream/log_dropped.h"
#include "stream/log_letters.h"
#include "stream/log_progress.h"
#include "stream/log_rewrite.h"
#include "stream/log_seen_ids.h"
#include "stream/record_batch.h"
#include "stream/sha256.h"
#include "stream/sqlite.h"
#include "stream/whole_file.h"

namespace freshet {

namespace {

constexpr int kPageBytes = 16384;
constexpr int kVerifiedOnOpen = 4;

class SqliteEventLog : public EventLog {
  /// Nobody else uses the connection meanwhile. What `work` calls must not ask for that again.
  template <class Work>
  auto use(Work&& work) const {
    const std::lock_guard lock(in_use_);
    return guarded(path_, std::forward<Work>(work));
  }

 public:
  SqliteEventLog(const std::string& path, bool read_only, LogSync sync)
      : path_(path),
        read_only_(read_only),
        sync_(sync),
        database_(open_database(path, read_only, kPageBytes)) {
    if (sync == LogSync::when_asked) database_.exec("PRAGMA synchronous=NORMAL");
  }

  void create(const std::string& description) {
    guarded(path_, [&] { create_log(database_, path_, description); });
  }

  void check_opened(const std::string* description) {
    description_ = guarded(path_, [&] { return check_log(database_, path_, read_only_); });
    if (description != nullptr && *description != description_) {
      throw Error(
          ErrorKind::conflict,
          fmt::format("{}: the log was made for another schema; use another workspace", path_));
    }
    if (read_only_) return;
    dropped_ = guarded(path_, [&] { return count_dropped(database_); });
    verify_tail();
    progress_.stored(all_progress());
    empty_write_ahead();  // one that died may have left what was erased
  }

  std::uint64_t begin() const override {
    return use([&] { return first_kept(); });
  }
  void keep_from(std::uint64_t position) override { keep_from_ = position; }
  bool drop() override {
    return use([&] {
      if (!emptied_) emptied_ = truncate_write_ahead(database_);
      if (!may_drop(head_)) return false;
      WriteTransaction transaction(database_);
      drop_stretches(head_);
      transaction.commit();
      return true;
    });
  }

  std::uint64_t oldest() const override {
    return use([&] { return oldest_stored(database_); });
  }
  std::uint64_t head() const override {
    if (!read_only_) return head_;
    return use([&] { return stored_head(database_); });
  }

  std::uint64_t append(const LogBatch& batch) override {
    if (read_only_) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: the log is open for reading only", path_));
    }
    return use([&] {
      WriteTransaction transaction(database_);
      const std::uint64_t stored = stored_head(database_);
      if (stored != head_) {
        throw Error(ErrorKind::conflict,
                    fmt::format("{}: another writer has appended: found head {}, expected {}",
                                path_, stored, head_.load()));
      }
      const std::uint64_t head = put_records(batch.records);
      if (may_drop(head)) drop_stretches(head);
      put_letters(database_, "dead_letters", batch.dead_letters);
      put_letters(database_, "late_events", batch.late);
      add_counts(database_, batch);
      if (batch.seen) put_seen(database_, *batch.seen, batch.forget_before);
      progress_.put(database_, batch.progress, path_);
      transaction.commit();
      progress_.stored(batch.progress);
      head_ = head;
      if (!emptied_) emptied_ = truncate_write_ahead(database_);
      return head;
    });
  }

  void rewrite(const LogRewrite& what) override {
    const auto locked = [&](const std::function<void()>& work) {
      use([&] {
        newest_read_.reset();
        emptied_ = false;
        work();
      });
    };
    rewrite_log(database_, what, locked, [&](std::uint64_t at) { return load(at); });
  }
  bool empty_write_ahead() override {
    return use([&] { return emptied_ = truncate_write_ahead(database_); });
  }
  void forget_read() const override {
    const std::lock_guard lock(in_use_);
    newest_read_.reset();
  }

  std::shared_ptr<const RecordBatch> batch(std::uint64_t position) const override {
    const std::lock_guard lock(in_use_);
    if (!newest_read_ || !newest_read_->holds(position)) {
      newest_read_ = load(position);
      if (!newest_read_->holds(position)) throw missing(position);
    }
    return newest_read_;
  }

  void sync() override {
    if (sync_ == LogSync::when_asked) sync_file(path_ + "-wal");
  }

  IngestCounts counts() const override {
    return use([&] { return read_counts(database_, path_); });
  }

  std::uint64_t seen_ids() const override {
    return use([&] { return count_seen(database_); });
  }
  std::optional<SeenStretch> seen_before(std::uint64_t end) const override {
    return use([&] { return read_seen(database_, path_, end); });
  }

  std::optional<SourceProgress> progress(const std::string& name) const override {
    for (SourceProgress& progress : all_progress()) {
      if (progress.name == name) return std::move(progress);
    }
    return std::nullopt;
  }

  std::vector<SourceProgress> all_progress() const override {
    return use([&] { return read_progress(database_); });
  }

  std::vector<DeadLetter> dead_letters(std::uint64_t limit, std::uint64_t before) const override {
    return use([&] { return letters(database_, "dead_letters", limit, before); });
  }
  std::vector<DeadLetter> late_events(std::uint64_t limit, std::uint64_t before) const override {
    return use([&] { return letters(database_, "late_events", limit, before); });
  }

  const std::string& description() const override { return description_; }

  std::string content_hash() const override {
    return use([&] {
      Sha256 hash;
      std::uint64_t at = 0;
      each_dropped(database_, [&](const std::string& of) {
        hash.add(of);
        at += kStretch;
      });
      for (const std::uint64_t end = stored_head(database_); at < end; at += kStretch) {
        hash.add(stretch_hash(at, std::min(end, at + kStretch)));
      }
      return hash.hex();
    });
  }

  std::vector<std::string> verify() const override {
    const std::lock_guard lock(in_use_);
    std::vector<std::string> damage;
    const auto attempt = [&](const auto& check) {
      try {
        guarded(path_, check);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::corrupt) throw;
        damage.emplace_back(error.what());
      }
    };
    std::vector<BatchExtent> all;
    attempt([&] { check_seen(database_, path_); });
    std::uint64_t counted = 0;
    attempt([&] {
      SQLite::Transaction moment(database_);
      for (const std::string& line : database_damage(database_, false)) {
        damage.push_back(fmt::format("{}: {}", path_, line));
      }
      all = read_extents(database_);
      counted = read_counts(database_, path_).accepted;
    });
    const std::uint64_t begin = guarded(path_, [&] { return first_kept(); });
    std::uint64_t expected = all.empty() ? 0 : std::min(all.front().first, begin);
    std::uint64_t found = 0;
    for (const BatchExtent& extent : all) {
      attempt([&] {
        if (extent.first != expected) throw gap(expected, extent.first);
      });
      expected = extent.first + extent.count;
      attempt([&] {
        if (expected > first_kept()) found += load(extent.first)->accepted();  // else dropped
      });
    }
    if (damage.empty() && begin == 0 && found != counted) {
      damage.push_back(fmt::format("{}: the counters say {} accepted records, the batches hold {}",
                                   path_, counted, found));
    }
    return damage;
  }

 private:
  std::uint64_t first_kept() const { return count_dropped(database_) * kStretch; }

  Error gap(std::uint64_t expected, std::uint64_t found) const {
    return {ErrorKind::corrupt,
            fmt::format("{}: found the batch of position {}, expected position {}; restore the "
                        "file from a backup",
                        path_, found, expected)};
  }

  // Batch by batch from the head down: a start takes no longer for a longer log.
  void verify_tail() {
    head_ = guarded(path_, [&] { return stored_head(database_); });
    std::uint64_t end = head_;
    const std::uint64_t first = begin();
    for (int i = 0; i < kVerifiedOnOpen && end > first; ++i) {
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
          if (position < first_kept()) throw was_dropped(position);
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

  Error missing(std::uint64_t position) const {
    return {ErrorKind::corrupt,
            fmt::format("{}: position {} is missing from the log", path_, position)};
  }

  Error was_dropped(std::uint64_t position) const {
    return {ErrorKind::not_found,
            fmt::format("{}: the record at position {} was dropped, as stream.keep says: the log "
                        "begins at position {}",
                        path_, position, first_kept())};
  }

  std::string stretch_hash(std::uint64_t begin, std::uint64_t end) const {
    Sha256 hash;
    for (std::uint64_t position = begin; position < end;) {
      const auto held = load(position);
      if (!held->holds(position)) throw missing(position);
      for (; position < std::min(end, held->end()); ++position) {
        const std::string_view record = held->record(position);
        const auto size = static_cast<std::uint32_t>(record.size());
        hash.add({reinterpret_cast<const char*>(&size), sizeof size});
        hash.add(record);
      }
    }
    return hash.hex();
  }

  bool may_drop(std::uint64_t head) const {
    const std::uint64_t end = (dropped_ + 1) * kStretch;
    // The last batch stays: it tells the head.
    return !drops_nothing_ && end <= keep_from_ && end < head;
  }

  // Few at a time, as clients wait for the transaction.
  void drop_stretches(std::uint64_t head) {
    constexpr int kMost = 4;
    dropped_ = count_dropped(database_);  // an append that failed may have dropped some before
    for (int i = 0; i < kMost && may_drop(head); ++i, ++dropped_) {
      const std::uint64_t end = (dropped_ + 1) * kStretch;
      try {
        put_dropped(database_, dropped_, stretch_hash(end - kStretch, end), end);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::corrupt) throw;
        drops_nothing_ = true;  // `verify` names the damage; appends go on
        return;
      }
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

  const std::string path_;
  const bool read_only_;
  const LogSync sync_;
  mutable std::mutex in_use_;  // the connection: rewrites come from another thread than appends
  mutable SQLite::Database database_;
  std::string description_;
  std::atomic<std::uint64_t> head_ = 0;       // the writer's
  bool drops_nothing_ = false;                // what is to be dropped is damaged
  std::uint64_t dropped_ = 0;                 // stretches, as far as the writer knows
  std::atomic<std::uint64_t> keep_from_ = 0;  // records below it may be dropped
  ProgressWriter progress_;
  bool emptied_ = true;  // the write-ahead file, of what was rewritten
  mutable std::optional<SQLite::Statement> select_batch_;
  mutable std::shared_ptr<const RecordBatch> newest_read_;
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

std::unique_ptr<EventLog> EventLog::open(const std::string& path, const std::string& description,
                                         LogSync sync) {
  auto log = std::make_unique<SqliteEventLog>(path, false, sync);
  log->create(description);
  log->check_opened(&description);
  return log;
}

std::unique_ptr<EventLog> EventLog::open_reader(const std::string& path) {
  auto log = std::make_unique<SqliteEventLog>(path, true, LogSync::each_append);
  log->check_opened(nullptr);
  return log;
}

}  // namespace freshet
