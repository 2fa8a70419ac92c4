#include "registry/backtest_store.h"

#include <fmt/format.h>

#include "stream/sha256.h"
#include "stream/sqlite.h"

namespace freshet {

namespace {

constexpr int kFormat = 1;
constexpr const char* kTable = R"(
CREATE TABLE backtests (
  id TEXT PRIMARY KEY NOT NULL, candidate INTEGER NOT NULL, champion INTEGER NOT NULL,
  status TEXT NOT NULL, report TEXT NOT NULL, sha256 TEXT NOT NULL, state BLOB NOT NULL
) STRICT;
)";
constexpr const char* kColumns = "SELECT id, candidate, champion, status, report";

BacktestRecord record_of(SQLite::Statement& select) {
  BacktestRecord record;
  record.id = select.getColumn(0).getString();
  record.candidate = static_cast<std::uint64_t>(select.getColumn(1).getInt64());
  record.champion = static_cast<std::uint64_t>(select.getColumn(2).getInt64());
  record.status = select.getColumn(3).getString();
  record.report = select.getColumn(4).getString();
  return record;
}

class SqliteBacktestStore : public BacktestStore {
 public:
  SqliteBacktestStore(const std::string& path, bool read_only)
      : path_(path), database_(open_database(path, read_only)) {
    guarded(path_, [&] {
      if (!read_only) create();
      const int format = database_.execAndGet("PRAGMA user_version").getInt();
      if (format == kFormat) return;
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: the backtests have format {}, this build reads format {}; they "
                              "are reports: delete the file to have them made again",
                              path_, format, kFormat));
    });
  }

  void put(const BacktestRecord& record) override {
    guarded(path_, [&] {
      WriteTransaction transaction(database_);
      SQLite::Statement insert(database_,
                               "INSERT OR REPLACE INTO backtests VALUES (?, ?, ?, ?, ?, ?, ?)");
      insert.bind(1, record.id);
      insert.bind(2, static_cast<std::int64_t>(record.candidate));
      insert.bind(3, static_cast<std::int64_t>(record.champion));
      insert.bind(4, record.status);
      insert.bind(5, record.report);
      insert.bind(6, sha256_hex(record.report + record.state));
      insert.bind(7, record.state.data(), static_cast<int>(record.state.size()));
      insert.exec();
      transaction.commit();
    });
  }

  std::optional<BacktestRecord> find(const std::string& id) const override {
    return guarded(path_, [&]() -> std::optional<BacktestRecord> {
      SQLite::Statement select(
          database_, fmt::format("{}, sha256, state FROM backtests WHERE id=?", kColumns));
      select.bind(1, id);
      if (!select.executeStep()) return std::nullopt;
      BacktestRecord record = record_of(select);
      const SQLite::Column state = select.getColumn(6);
      if (state.getBytes() > 0) {
        record.state.assign(static_cast<const char*>(state.getBlob()),
                            static_cast<std::size_t>(state.getBytes()));
      }
      if (sha256_hex(record.report + record.state) != select.getColumn(5).getString()) {
        throw Error(ErrorKind::corrupt,
                    fmt::format("{}: backtest {} does not match its hash; it is a report: delete "
                                "the file to have it made again",
                                path_, id));
      }
      return record;
    });
  }

  std::vector<BacktestRecord> list() const override {
    return guarded(path_, [&] {
      std::vector<BacktestRecord> all;
      SQLite::Statement select(
          database_, fmt::format("{} FROM backtests ORDER BY candidate, champion, id", kColumns));
      while (select.executeStep()) all.push_back(record_of(select));
      return all;
    });
  }

 private:
  void create() {
    WriteTransaction transaction(database_);
    if (database_.execAndGet("PRAGMA user_version").getInt() == 0) {
      database_.exec(kTable);
      database_.exec(fmt::format("PRAGMA user_version={}", kFormat));
    }
    transaction.commit();
  }

  const std::string path_;
  mutable SQLite::Database database_;
};

}  // namespace

std::unique_ptr<BacktestStore> BacktestStore::open(const std::string& path) {
  return std::make_unique<SqliteBacktestStore>(path, false);
}

std::unique_ptr<BacktestStore> BacktestStore::open_reader(const std::string& path) {
  return std::make_unique<SqliteBacktestStore>(path, true);
}

}  // namespace freshet
