#include "registry/registry.h"

#include <fmt/format.h>

#include <utility>

#include "registry/registry_tables.h"
#include "stream/sha256.h"
#include "stream/sqlite.h"

namespace freshet {

namespace {

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

/// Binds values to a statement's parameters, in order.
class Binder {
 public:
  explicit Binder(SQLite::Statement& statement) : statement_(statement) {}

  Binder& operator<<(const std::string& text) {
    statement_.bind(++index_, text);
    return *this;
  }
  Binder& operator<<(std::uint64_t number) {
    statement_.bind(++index_, signed_of(number));
    return *this;
  }
  Binder& operator<<(Millis number) {
    statement_.bind(++index_, static_cast<std::int64_t>(number));
    return *this;
  }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

/// Takes a row's columns, in order.
class Taker {
 public:
  explicit Taker(SQLite::Statement& statement) : statement_(statement) {}

  Taker& operator>>(std::string& text) {
    text = statement_.getColumn(index_++).getString();
    return *this;
  }
  Taker& operator>>(std::uint64_t& number) {
    number = static_cast<std::uint64_t>(statement_.getColumn(index_++).getInt64());
    return *this;
  }
  Taker& operator>>(Millis& number) {
    number = statement_.getColumn(index_++).getInt64();
    return *this;
  }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

constexpr const char* kDecisionColumns =
    "sequence, kind, actor, reason, figures, row, position, time, config_hash, from_version, "
    "from_row, to_version, to_row, evaluation, wall_time";

Decision take_decision(SQLite::Statement& row) {
  Decision d;
  Taker(row) >> d.sequence >> d.kind >> d.actor >> d.reason >> d.figures >> d.row >> d.position >>
      d.time >> d.config_hash >> d.from_version >> d.from_row >> d.to_version >> d.to_row >>
      d.evaluation >> d.wall_time;
  return d;
}

bool same_but_wall_time(Decision a, const Decision& b) {
  a.wall_time = b.wall_time;
  return a.kind == b.kind && a.actor == b.actor && a.reason == b.reason && a.figures == b.figures &&
         a.row == b.row && a.position == b.position && a.time == b.time &&
         a.config_hash == b.config_hash && a.from_version == b.from_version &&
         a.from_row == b.from_row && a.to_version == b.to_version && a.to_row == b.to_row &&
         a.evaluation == b.evaluation;
}

class SqliteRegistry : public Registry {
 public:
  SqliteRegistry(const std::string& path, bool read_only)
      : path_(path), database_(open_database(path, read_only)) {
    guarded(path_, [&] {
      if (!read_only) create();
      const int format = database_.execAndGet("PRAGMA user_version").getInt();
      if (format != kRegistryFormat) {
        throw Error(ErrorKind::corrupt,
                    fmt::format("{}: the registry has format {}, this build reads format {}", path_,
                                format, kRegistryFormat));
      }
      if (read_only) return;
      const std::string health = database_.execAndGet("PRAGMA quick_check").getString();
      if (health != "ok") {
        throw Error(ErrorKind::corrupt, fmt::format("{}: the file is damaged: {}", path_, health));
      }
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
                            "SET config=?2");
      put.bind(1, pipeline);
      put.bind(2, config);
      put.exec();
    });
  }

  void commit(const std::string& pipeline, const CheckpointRecord& record) override {
    guarded(path_, [&] {
      WriteTransaction transaction(database_);
      for (const Version& version : record.versions) put_version(pipeline, version);
      for (const Revision& revision : record.revisions) put_revision(pipeline, revision);
      for (const EvaluationRecord& e : record.evaluations) put_evaluation(pipeline, e);
      for (const Decision& decision : record.decisions) put_decision(pipeline, decision);
      put_aliases(pipeline, record.aliases);
      put_checkpoint(pipeline, record);
      transaction.commit();
    });
  }

  std::optional<CheckpointRecord> checkpoint(const std::string& pipeline) const override {
    return guarded(path_, [&]() -> std::optional<CheckpointRecord> {
      SQLite::Statement select(database_,
                               "SELECT position, row, questions, sha256, fingerprint, state FROM "
                               "checkpoints WHERE pipeline=? ORDER BY number DESC");
      select.bind(1, pipeline);
      bool any = false;
      while (select.executeStep()) {
        any = true;
        CheckpointRecord record;
        std::string sha256;
        Taker(select) >> record.position >> record.row >> record.questions >> sha256 >>
            record.fingerprint;
        record.state = select.getColumn(5).getString();
        if (sha256_hex(record.state) == sha256) return record;
      }
      if (!any) return std::nullopt;
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: no checkpoint of pipeline \"{}\" matches its hash; restore a "
                              "backup, or run the config over the log in a new workspace with "
                              "freshet run CONFIG --from-log",
                              path_, pipeline));
    });
  }

  std::vector<Version> versions(const std::string& pipeline) const override {
    return select_versions(pipeline, "ORDER BY number", 0);
  }

  Version version(const std::string& pipeline, std::uint64_t number) const override {
    const auto found = select_versions(pipeline, "AND number=?2", number);
    if (found.empty()) {
      throw Error(ErrorKind::not_found,
                  fmt::format("pipeline \"{}\" has no version {}; see freshet registry list",
                              pipeline, number));
    }
    return found.front();
  }

  std::vector<Revision> revisions(const std::string& pipeline,
                                  std::uint64_t version) const override {
    return select_revisions(pipeline, "AND version=?2 ORDER BY row", version);
  }
  std::vector<Revision> all_revisions(const std::string& pipeline) const override {
    return select_revisions(pipeline, "ORDER BY version, row", 0);
  }

  std::vector<AliasRecord> aliases(const std::string& pipeline) const override {
    return guarded(path_, [&] {
      std::vector<AliasRecord> all;
      SQLite::Statement select(database_,
                               "SELECT alias, version, row FROM aliases WHERE pipeline=? ORDER BY "
                               "alias");
      select.bind(1, pipeline);
      while (select.executeStep()) {
        AliasRecord alias;
        Taker(select) >> alias.alias >> alias.version >> alias.row;
        all.push_back(std::move(alias));
      }
      return all;
    });
  }

  std::vector<EvaluationRecord> evaluations(const std::string& pipeline) const override {
    return guarded(path_, [&] {
      std::vector<EvaluationRecord> all;
      SQLite::Statement select(database_,
                               "SELECT number, candidate, champion, status, reason, sentence, "
                               "policy, figures, series, start_question, start_row, end_row FROM "
                               "evaluations WHERE pipeline=? ORDER BY number");
      select.bind(1, pipeline);
      while (select.executeStep()) {
        EvaluationRecord e;
        Taker(select) >> e.number >> e.candidate >> e.champion >> e.status >> e.reason >>
            e.sentence >> e.policy >> e.figures >> e.series >> e.start_question >> e.start_row >>
            e.end_row;
        all.push_back(std::move(e));
      }
      return all;
    });
  }

  std::vector<Decision> decisions(const std::string& pipeline) const override {
    return guarded(path_, [&] {
      std::vector<Decision> all;
      SQLite::Statement select(database_, fmt::format("SELECT {} FROM decisions WHERE pipeline=? "
                                                      "ORDER BY sequence",
                                                      kDecisionColumns));
      select.bind(1, pipeline);
      while (select.executeStep()) all.push_back(take_decision(select));
      return all;
    });
  }

  std::optional<Decision> live_at(const std::string& pipeline, Millis time) const override {
    return guarded(path_, [&]() -> std::optional<Decision> {
      SQLite::Statement select(
          database_,
          fmt::format("SELECT {} FROM decisions WHERE pipeline=? AND time<=? AND kind IN "
                      "('first_champion', 'promoted', 'rolled_back', 'quarantined') ORDER BY "
                      "sequence DESC LIMIT 1",
                      kDecisionColumns));
      select.bind(1, pipeline);
      select.bind(2, static_cast<std::int64_t>(time));
      if (!select.executeStep()) return std::nullopt;
      return take_decision(select);
    });
  }

  void set_status(const std::string& pipeline, std::uint64_t number,
                  const std::string& status) override {
    guarded(path_, [&] {
      SQLite::Statement update(database_,
                               "UPDATE versions SET status=? WHERE pipeline=? AND number=?");
      Binder(update) << status << pipeline << number;
      update.exec();
    });
  }

  std::uint64_t add_command(const std::string& pipeline, const CommandRecord& command) override {
    return guarded(path_, [&] {
      WriteTransaction transaction(database_);
      SQLite::Statement next(
          database_, "SELECT coalesce(max(sequence), 0) + 1 FROM commands WHERE pipeline=?");
      next.bind(1, pipeline);
      next.executeStep();
      const auto sequence = static_cast<std::uint64_t>(next.getColumn(0).getInt64());
      next.reset();
      SQLite::Statement insert(database_, "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?)");
      Binder(insert) << pipeline << sequence << command.position << command.kind
                     << command.arguments << command.reason << command.wall_time;
      insert.exec();
      transaction.commit();
      return sequence;
    });
  }

  std::vector<CommandRecord> commands(const std::string& pipeline) const override {
    return guarded(path_, [&] {
      std::vector<CommandRecord> all;
      SQLite::Statement select(database_,
                               "SELECT sequence, position, kind, arguments, reason, wall_time FROM "
                               "commands WHERE pipeline=? ORDER BY position, sequence");
      select.bind(1, pipeline);
      while (select.executeStep()) {
        CommandRecord c;
        Taker(select) >> c.sequence >> c.position >> c.kind >> c.arguments >> c.reason >>
            c.wall_time;
        all.push_back(std::move(c));
      }
      return all;
    });
  }

 private:
  static constexpr int kKeptCheckpoints = 2;

  void create() {
    WriteTransaction transaction(database_);
    if (database_.execAndGet("PRAGMA user_version").getInt() == 0) {
      database_.exec(kRegistryTables);
      database_.exec(fmt::format("PRAGMA user_version={}", kRegistryFormat));
    }
    transaction.commit();
  }

  void put_version(const std::string& pipeline, const Version& v) {
    SQLite::Statement put(
        database_,
        "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?)");
    const Lineage& l = v.lineage;
    Binder(put) << pipeline << v.number << l.kind << l.recipe << l.recipe_name << l.feature_identity
                << l.rows_begin << l.rows_end << l.knowledge_position << l.parent << l.seed
                << l.build << l.profile << v.status << v.created_row << v.created_time;
    put.exec();
  }

  void put_revision(const std::string& pipeline, const Revision& r) {
    // A later record of the same revision may lack the anchor: it stays.
    SQLite::Statement put(database_,
                          "INSERT INTO revisions VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE "
                          "SET artifact=?4, learner_state=CASE WHEN ?5='' THEN learner_state ELSE "
                          "?5 END");
    Binder(put) << pipeline << r.version << r.row << r.artifact << r.learner_state;
    put.exec();
  }

  void put_evaluation(const std::string& pipeline, const EvaluationRecord& e) {
    SQLite::Statement put(
        database_,
        "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?)");
    Binder(put) << pipeline << e.number << e.candidate << e.champion << e.status << e.reason
                << e.sentence << e.policy << e.figures << e.series << e.start_question
                << e.start_row << e.end_row;
    put.exec();
  }

  void put_decision(const std::string& pipeline, const Decision& d) {
    SQLite::Statement select(database_, fmt::format("SELECT {} FROM decisions WHERE pipeline=? AND "
                                                    "sequence=?",
                                                    kDecisionColumns));
    Binder(select) << pipeline << d.sequence;
    if (select.executeStep()) {
      const Decision stored = take_decision(select);
      if (same_but_wall_time(stored, d)) return;
      throw Error(ErrorKind::corrupt,
                  fmt::format("decision {} of pipeline \"{}\" comes out differently when replayed: "
                              "recorded \"{}: {}\" at row {}, now \"{}: {}\" at row {}",
                              d.sequence, pipeline, stored.kind, stored.reason, stored.row, d.kind,
                              d.reason, d.row));
    }
    SQLite::Statement insert(database_,
                             "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                             "?, ?, ?)");
    Binder(insert) << pipeline << d.sequence << d.kind << d.actor << d.reason << d.figures << d.row
                   << d.position << d.time << d.config_hash << d.from_version << d.from_row
                   << d.to_version << d.to_row << d.evaluation << d.wall_time;
    insert.exec();
  }

  void put_aliases(const std::string& pipeline, const std::vector<AliasRecord>& aliases) {
    SQLite::Statement clear(database_, "DELETE FROM aliases WHERE pipeline=?");
    clear.bind(1, pipeline);
    clear.exec();
    for (const AliasRecord& alias : aliases) {
      SQLite::Statement put(database_, "INSERT INTO aliases VALUES (?, ?, ?, ?)");
      Binder(put) << pipeline << alias.alias << alias.version << alias.row;
      put.exec();
    }
  }

  void put_checkpoint(const std::string& pipeline, const CheckpointRecord& record) {
    SQLite::Statement put(database_,
                          "INSERT INTO checkpoints (pipeline, position, row, questions, sha256, "
                          "fingerprint, state) VALUES (?, ?, ?, ?, ?, ?, ?)");
    Binder(put) << pipeline << record.position << record.row << record.questions
                << sha256_hex(record.state) << record.fingerprint;
    put.bind(7, record.state.data(), static_cast<int>(record.state.size()));
    put.exec();
    SQLite::Statement prune(database_,
                            "DELETE FROM checkpoints WHERE pipeline=?1 AND number NOT IN (SELECT "
                            "number FROM checkpoints WHERE pipeline=?1 ORDER BY number DESC LIMIT "
                            "?2)");
    prune.bind(1, pipeline);
    prune.bind(2, kKeptCheckpoints);
    prune.exec();
  }

  std::vector<Version> select_versions(const std::string& pipeline, const char* rest,
                                       std::uint64_t number) const {
    return guarded(path_, [&] {
      std::vector<Version> all;
      SQLite::Statement select(
          database_, std::string("SELECT number, kind, recipe, recipe_name, feature_identity, "
                                 "rows_begin, rows_end, knowledge_position, parent, seed, build, "
                                 "profile, status, created_row, created_time FROM versions WHERE "
                                 "pipeline=?1 ") +
                         rest);
      select.bind(1, pipeline);
      if (number != 0) select.bind(2, signed_of(number));
      while (select.executeStep()) {
        Version v;
        Lineage& l = v.lineage;
        Taker(select) >> v.number >> l.kind >> l.recipe >> l.recipe_name >> l.feature_identity >>
            l.rows_begin >> l.rows_end >> l.knowledge_position >> l.parent >> l.seed >> l.build >>
            l.profile >> v.status >> v.created_row >> v.created_time;
        all.push_back(std::move(v));
      }
      return all;
    });
  }

  std::vector<Revision> select_revisions(const std::string& pipeline, const char* rest,
                                         std::uint64_t version) const {
    return guarded(path_, [&] {
      std::vector<Revision> all;
      SQLite::Statement select(database_,
                               std::string("SELECT version, row, artifact, learner_state FROM "
                                           "revisions WHERE pipeline=?1 ") +
                                   rest);
      select.bind(1, pipeline);
      if (version != 0) select.bind(2, signed_of(version));
      while (select.executeStep()) {
        Revision r;
        Taker(select) >> r.version >> r.row >> r.artifact >> r.learner_state;
        all.push_back(std::move(r));
      }
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
