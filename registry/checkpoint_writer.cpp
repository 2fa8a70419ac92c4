#include "registry/checkpoint_writer.h"

#include <fmt/format.h>

#include <optional>

#include "registry/registry_columns.h"
#include "stream/error.h"
#include "stream/sha256.h"

namespace freshet {

namespace {

// One damaged checkpoint leaves two.
constexpr int kKeptCheckpoints = 3;

template <class Record>
std::optional<Record> recorded(SQLite::Database& database, const char* table, const char* key,
                               const std::string& pipeline, std::uint64_t number) {
  SQLite::Statement select(database, fmt::format("SELECT {} FROM {} WHERE pipeline=? AND {}=?",
                                                 column_list<Record>(), table, key));
  select.bind(1, pipeline);
  select.bind(2, static_cast<std::int64_t>(number));
  if (!select.executeStep()) return std::nullopt;
  return take_record<Record>(select);
}

void refuse_difference(const std::string& what, std::uint64_t number, const std::string& pipeline,
                       const std::string& differences) {
  if (differences.empty()) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("replay differs: {} {} of pipeline \"{}\" comes out otherwise than it is "
                          "recorded: {}",
                          what, number, pipeline, differences));
}

template <class Record>
void put(SQLite::Database& database, const std::string& statement, const std::string& pipeline,
         const Record& record) {
  SQLite::Statement insert(database, statement);
  bind_record(insert, pipeline, record);
  insert.exec();
}

void put_version(SQLite::Database& database, const std::string& pipeline, const Version& version) {
  if (const auto old =
          recorded<Version>(database, "versions", "number", pipeline, version.number)) {
    refuse_difference(
        "version", version.number, pipeline,
        differing(*old, version, {"status", "build", "profile", "promoted_row", "stopped_row"}));
  }
  put(database,
      insert_into<Version>("versions") +
          " ON CONFLICT (pipeline, number) DO UPDATE SET status=excluded.status,"
          " promoted_row=excluded.promoted_row, stopped_row=excluded.stopped_row",
      pipeline, version);
}

void put_revision(SQLite::Database& database, const std::string& pipeline,
                  const Revision& revision) {
  // A later record of the same revision may name less: what is stored stays.
  put(database,
      insert_into<Revision>("revisions") +
          " ON CONFLICT (pipeline, version, row) DO UPDATE SET"
          " artifact=CASE excluded.artifact WHEN '' THEN artifact ELSE excluded.artifact END,"
          " learner_state=CASE excluded.learner_state WHEN '' THEN learner_state"
          " ELSE excluded.learner_state END",
      pipeline, revision);
}

void put_evaluation(SQLite::Database& database, const std::string& pipeline,
                    const EvaluationRecord& evaluation) {
  if (const auto old = recorded<EvaluationRecord>(database, "evaluations", "number", pipeline,
                                                  evaluation.number)) {
    refuse_difference("evaluation", evaluation.number, pipeline,
                      differing(*old, evaluation,
                                {"champion", "status", "reason", "sentence", "policy", "figures",
                                 "series", "end_row"}));
  }
  put(database,
      insert_into<EvaluationRecord>("evaluations") +
          " ON CONFLICT (pipeline, number) DO UPDATE SET champion=excluded.champion,"
          " status=excluded.status, reason=excluded.reason, sentence=excluded.sentence,"
          " policy=excluded.policy, figures=excluded.figures, series=excluded.series,"
          " end_row=excluded.end_row",
      pipeline, evaluation);
}

void put_decision(SQLite::Database& database, const std::string& pipeline,
                  const Decision& decision) {
  if (const auto old =
          recorded<Decision>(database, "decisions", "sequence", pipeline, decision.sequence)) {
    refuse_difference("decision", decision.sequence, pipeline,
                      differing(*old, decision, {"wall_time"}));
    return;
  }
  put(database, insert_into<Decision>("decisions"), pipeline, decision);
}

void put_aliases(SQLite::Database& database, const std::string& pipeline,
                 const std::vector<AliasRecord>& aliases) {
  SQLite::Statement clear(database, "DELETE FROM aliases WHERE pipeline=?");
  clear.bind(1, pipeline);
  clear.exec();
  for (const AliasRecord& alias : aliases) {
    put(database, insert_into<AliasRecord>("aliases"), pipeline, alias);
  }
}

void put_state(SQLite::Database& database, const std::string& pipeline,
               const CheckpointRecord& record) {
  SQLite::Statement insert(
      database, fmt::format("INSERT INTO checkpoints (pipeline, {}, sha256, state) VALUES (?, ?, "
                            "?, ?, ?, ?, ?)",
                            column_list<CheckpointRecord>()));
  const int last = bind_record(insert, pipeline, record);
  insert.bind(last + 1, checkpoint_hash(record));
  insert.bind(last + 2, record.state.data(), static_cast<int>(record.state.size()));
  insert.exec();
  SQLite::Statement prune(database,
                          "DELETE FROM checkpoints WHERE pipeline=?1 AND number NOT IN (SELECT "
                          "number FROM checkpoints WHERE pipeline=?1 ORDER BY number DESC LIMIT "
                          "?2)");
  prune.bind(1, pipeline);
  prune.bind(2, record.alone ? 1 : kKeptCheckpoints);
  prune.exec();
}

}  // namespace

void write_checkpoint(SQLite::Database& database, const std::string& pipeline,
                      const CheckpointRecord& record) {
  for (const Version& version : record.versions) put_version(database, pipeline, version);
  for (const Revision& revision : record.revisions) put_revision(database, pipeline, revision);
  for (const EvaluationRecord& e : record.evaluations) put_evaluation(database, pipeline, e);
  for (const Decision& decision : record.decisions) put_decision(database, pipeline, decision);
  put_aliases(database, pipeline, record.aliases);
  put_state(database, pipeline, record);
}

std::string checkpoint_hash(const CheckpointRecord& record) {
  Sha256 hash;
  each_column(record, [&](const char* name, const auto& value) {
    hash.add(fmt::format("{}={}\n", name, value));
  });
  hash.add(record.state);
  return hash.hex();
}

}  // namespace freshet
