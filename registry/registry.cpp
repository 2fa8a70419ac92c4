#include "registry/registry.h"

#include <fmt/format.h>

#include <utility>

#include "registry/checkpoint_writer.h"
#include "registry/decision_kinds.h"
#include "registry/registry_columns.h"
#include "registry/registry_tables.h"
#include "stream/sqlite.h"

namespace freshet {

namespace {

std::string champion_kinds() {
  std::string list;
  for (const std::string_view kind : kChampionKinds) {
    list += fmt::format("{}'{}'", list.empty() ? "" : ", ", kind);
  }
  return list;
}

class SqliteRegistry : public Registry {
 public:
  SqliteRegistry(const std::string& path, bool read_only)
      : path_(path), database_(open_database(path, read_only)) {
    guarded(path_, [&] {
      if (!read_only) {
        check_health();
        create();
      }
      check_format();
    });
  }

  std::vector<std::string> pipelines() const override {
    return guarded(path_, [&] {
      std::vector<std::string> names;
      SQLite::Statement select(database_, "SELECT name FROM pipelines ORDER BY name");
      while (select.executeStep()) names.push_back(select.getColumn(0).getString());
      return names;
    });
  }

  std::optional<std::string> config(const std::string& pipeline) const override {
    return guarded(path_, [&]() -> std::optional<std::string> {
      SQLite::Statement select(database_, "SELECT config FROM pipelines WHERE name=?");
      select.bind(1, pipeline);
      if (!select.executeStep()) return std::nullopt;
      return select.getColumn(0).getString();
    });
  }

  void set_config(const std::string& pipeline, const std::string& config) override {
    guarded(path_, [&] {
      SQLite::Statement put(database_,
                            "INSERT INTO pipelines VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE "
                            "SET config=excluded.config");
      put.bind(1, pipeline);
      put.bind(2, config);
      put.exec();
    });
  }

  void commit(const std::string& pipeline, const CheckpointRecord& record) override {
    guarded(path_, [&] {
      WriteTransaction transaction(database_);
      require(pipeline);
      write_checkpoint(database_, pipeline, record);
      transaction.commit();
    });
  }

  std::optional<CheckpointRecord> checkpoint(const std::string& pipeline) const override {
    return guarded(path_, [&] { return newest_whole_checkpoint(pipeline); });
  }

  std::vector<Version> versions(const std::string& pipeline) const override {
    return select<Version>(pipeline, "versions", "ORDER BY number");
  }

  Version version(const std::string& pipeline, std::uint64_t number) const override {
    const auto found = select<Version>(pipeline, "versions", "AND number=?2", signed_of(number));
    if (found.empty()) refuse_version(pipeline, number);
    return found.front();
  }

  std::vector<Revision> revisions(const std::string& pipeline,
                                  std::uint64_t version) const override {
    return select<Revision>(pipeline, "revisions", "AND version=?2 ORDER BY row",
                            signed_of(version));
  }

  std::vector<Revision> all_revisions(const std::string& pipeline) const override {
    return select<Revision>(pipeline, "revisions", "ORDER BY version, row");
  }

  std::vector<AliasRecord> aliases(const std::string& pipeline) const override {
    return select<AliasRecord>(pipeline, "aliases", "ORDER BY alias");
  }

  std::vector<EvaluationRecord> evaluations(const std::string& pipeline) const override {
    return select<EvaluationRecord>(pipeline, "evaluations", "ORDER BY number");
  }

  std::vector<Decision> decisions(const std::string& pipeline) const override {
    return select<Decision>(pipeline, "decisions", "ORDER BY sequence");
  }

  std::optional<Decision> live_at(const std::string& pipeline, Millis time) const override {
    const std::string last =
        fmt::format("AND time<=?2 AND kind IN ({}) ORDER BY time DESC, sequence DESC LIMIT 1",
                    champion_kinds());
    const auto found = select<Decision>(pipeline, "decisions", last, time);
    if (found.empty()) return std::nullopt;
    return found.front();
  }

  std::uint64_t add_command(const std::string& pipeline, const CommandRecord& command) override {
    return guarded(path_, [&] {
      WriteTransaction transaction(database_);
      require(pipeline);
      CommandRecord numbered = command;
      SQLite::Statement next(
          database_, "SELECT coalesce(max(sequence), 0) + 1 FROM commands WHERE pipeline=?");
      next.bind(1, pipeline);
      next.executeStep();
      numbered.sequence = static_cast<std::uint64_t>(next.getColumn(0).getInt64());
      next.reset();
      SQLite::Statement insert(database_, insert_into<CommandRecord>("commands"));
      bind_record(insert, pipeline, numbered);
      insert.exec();
      transaction.commit();
      return numbered.sequence;
    });
  }

  std::vector<std::string> verify() const override {
    return guarded(path_, [&] {
      SQLite::Transaction moment(database_);
      std::vector<std::string> damage = database_damage(database_, true);
      std::vector<std::pair<std::int64_t, std::string>> checkpoints;
      SQLite::Statement select(database_, "SELECT number, pipeline FROM checkpoints");
      while (select.executeStep()) {
        checkpoints.emplace_back(select.getColumn(0).getInt64(), select.getColumn(1).getString());
      }
      for (const auto& [number, pipeline] : checkpoints) {
        std::string reason;
        if (read_checkpoint(number, reason)) continue;
        damage.push_back(fmt::format("checkpoint {} of pipeline \"{}\" is damaged: {}", number,
                                     pipeline, reason));
      }
      return damage;
    });
  }

  std::vector<CommandRecord> commands(const std::string& pipeline) const override {
    return select<CommandRecord>(pipeline, "commands", "ORDER BY position, sequence");
  }

 private:
  void check_health() {
    const std::string health = database_.execAndGet("PRAGMA quick_check(1)").getString();
    if (health == "ok") return;
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: the file is damaged: {}; restore a backup", path_, health));
  }

  void create() {
    WriteTransaction transaction(database_);
    const int format = database_.execAndGet("PRAGMA user_version").getInt();
    if (format == 0) {
      if (database_.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() != 0) {
        throw Error(
            ErrorKind::corrupt,
            fmt::format("{}: found a database of another program, expected a registry", path_));
      }
      database_.exec(kRegistryTables);
    } else if (format == 1) {
      database_.exec(kRegistryFromFormat1);
    }
    if (format < 2) database_.exec(fmt::format("PRAGMA user_version={}", kRegistryFormat));
    transaction.commit();
  }

  void check_format() const {
    const int format = database_.execAndGet("PRAGMA user_version").getInt();
    if (format == kRegistryFormat) return;
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: the registry has format {}, this build reads and writes format "
                            "{}; use the build that wrote it",
                            path_, format, kRegistryFormat));
  }

  void require(const std::string& pipeline) const {
    SQLite::Statement known(database_, "SELECT 1 FROM pipelines WHERE name=?");
    known.bind(1, pipeline);
    if (known.executeStep()) return;
    throw Error(ErrorKind::not_found,
                fmt::format("{}: there is no pipeline \"{}\"", path_, pipeline));
  }

  [[noreturn]] void refuse_version(const std::string& pipeline, std::uint64_t number) const {
    require(pipeline);
    throw Error(ErrorKind::not_found,
                fmt::format("pipeline \"{}\" has no version {}; see freshet registry list",
                            pipeline, number));
  }

  std::optional<CheckpointRecord> newest_whole_checkpoint(const std::string& pipeline) const {
    // One moment: the owner may prune meanwhile.
    SQLite::Transaction moment(database_);
    require(pipeline);
    std::vector<std::int64_t> numbers;
    SQLite::Statement select(
        database_, "SELECT number FROM checkpoints WHERE pipeline=? ORDER BY number DESC");
    select.bind(1, pipeline);
    while (select.executeStep()) numbers.push_back(select.getColumn(0).getInt64());
    std::vector<std::string> damage;
    for (const std::int64_t number : numbers) {
      std::string reason;
      if (auto record = read_checkpoint(number, reason)) {
        record->damage = std::move(damage);
        return record;
      }
      damage.push_back(fmt::format("{}: checkpoint {} of pipeline \"{}\" is damaged: {}", path_,
                                   number, pipeline, reason));
    }
    if (numbers.empty()) return std::nullopt;
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: no checkpoint of pipeline \"{}\" matches its hash; restore a "
                            "backup, or run the config over the log in a new workspace with "
                            "freshet run CONFIG --from-log",
                            path_, pipeline));
  }

  std::optional<CheckpointRecord> read_checkpoint(std::int64_t number, std::string& reason) const {
    try {
      SQLite::Statement select(
          database_, fmt::format("SELECT {}, sha256, state FROM checkpoints WHERE number=?",
                                 column_list<CheckpointRecord>()));
      select.bind(1, number);
      select.executeStep();
      auto record = take_record<CheckpointRecord>(select);
      const int columns = select.getColumnCount();
      record.state = select.getColumn(columns - 1).getString();
      if (checkpoint_hash(record) == select.getColumn(columns - 2).getString()) return record;
      reason = fmt::format("its bytes don't match their hash (position {}, row {})",
                           record.position, record.row);
    } catch (const SQLite::Exception& error) {
      if (translate(path_, error).kind() != ErrorKind::corrupt) throw;
      reason = error.what();
    }
    return std::nullopt;
  }

  /// The records of a pipeline; `rest` may hold one parameter, ?2.
  template <class Record>
  std::vector<Record> select(const std::string& pipeline, const char* table,
                             const std::string& rest,
                             std::optional<std::int64_t> parameter = std::nullopt) const {
    return guarded(path_, [&] {
      require(pipeline);
      std::vector<Record> all;
      SQLite::Statement statement(database_, fmt::format("SELECT {} FROM {} WHERE pipeline=?1 {}",
                                                         column_list<Record>(), table, rest));
      statement.bind(1, pipeline);
      if (parameter) statement.bind(2, *parameter);
      while (statement.executeStep()) all.push_back(take_record<Record>(statement));
      return all;
    });
  }

  const std::string path_;
  mutable SQLite::Database database_;
};

}  // namespace

std::unique_ptr<Registry> Registry::open(const std::string& path) {
  return std::make_unique<SqliteRegistry>(path, false);
}

std::unique_ptr<Registry> Registry::open_reader(const std::string& path) {
  return std::make_unique<SqliteRegistry>(path, true);
}

}  // namespace freshet
