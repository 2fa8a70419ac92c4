#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "registry/registry.h"
#include "stream/sqlite.h"

/// Each record's columns, once: `each_column(record, each)` calls `each(name, value)` in the
/// table's order, after the column `pipeline`. The statements, their values and what differs
/// between two records come from here.
namespace freshet {

template <class T, class Record>
concept Of = std::same_as<std::remove_const_t<T>, Record>;

template <Of<Version> V, class Each>
void each_column(V& v, Each&& each) {
  each("number", v.number);
  auto& l = v.lineage;
  each("kind", l.kind);
  each("recipe", l.recipe);
  each("recipe_name", l.recipe_name);
  each("feature_identity", l.feature_identity);
  each("rows_begin", l.rows_begin);
  each("rows_end", l.rows_end);
  each("knowledge_position", l.knowledge_position);
  each("parent", l.parent);
  each("seed", l.seed);
  each("build", l.build);
  each("profile", l.profile);
  each("status", v.status);
  each("created_row", v.created_row);
  each("created_time", v.created_time);
  each("parent_row", l.parent_row);
  each("epochs", l.epochs);
  each("promoted_row", v.promoted_row);
  each("stopped_row", v.stopped_row);
}

template <Of<Revision> R, class Each>
void each_column(R& r, Each&& each) {
  each("version", r.version);
  each("row", r.row);
  each("artifact", r.artifact);
  each("learner_state", r.learner_state);
}

template <Of<AliasRecord> A, class Each>
void each_column(A& a, Each&& each) {
  each("alias", a.alias);
  each("version", a.version);
  each("row", a.row);
}

template <Of<EvaluationRecord> E, class Each>
void each_column(E& e, Each&& each) {
  each("number", e.number);
  each("candidate", e.candidate);
  each("champion", e.champion);
  each("status", e.status);
  each("reason", e.reason);
  each("sentence", e.sentence);
  each("policy", e.policy);
  each("figures", e.figures);
  each("series", e.series);
  each("start_question", e.start_question);
  each("start_row", e.start_row);
  each("end_row", e.end_row);
}

template <Of<Decision> D, class Each>
void each_column(D& d, Each&& each) {
  each("sequence", d.sequence);
  each("kind", d.kind);
  each("actor", d.actor);
  each("reason", d.reason);
  each("figures", d.figures);
  each("row", d.row);
  each("position", d.position);
  each("time", d.time);
  each("config_hash", d.config_hash);
  each("from_version", d.from_version);
  each("from_row", d.from_row);
  each("to_version", d.to_version);
  each("to_row", d.to_row);
  each("evaluation", d.evaluation);
  each("wall_time", d.wall_time);
}

template <Of<CommandRecord> C, class Each>
void each_column(C& c, Each&& each) {
  each("sequence", c.sequence);
  each("position", c.position);
  each("kind", c.kind);
  each("arguments", c.arguments);
  each("reason", c.reason);
  each("wall_time", c.wall_time);
}

/// A checkpoint's columns but `state`, which is a blob.
template <Of<CheckpointRecord> C, class Each>
void each_column(C& c, Each&& each) {
  each("position", c.position);
  each("row", c.row);
  each("questions", c.questions);
  each("fingerprint", c.fingerprint);
}

/// "number, kind, recipe, …"
template <class Record>
std::string column_list() {
  std::string list;
  const Record record{};
  each_column(record, [&](const char* name, const auto&) {
    list += list.empty() ? "" : ", ";
    list += name;
  });
  return list;
}

/// "INSERT INTO table (pipeline, number, …) VALUES (?, ?, …)"
template <class Record>
std::string insert_into(std::string_view table) {
  std::string places = "?";
  const Record record{};
  each_column(record, [&](const char*, const auto&) { places += ", ?"; });
  return fmt::format("INSERT INTO {} (pipeline, {}) VALUES ({})", table, column_list<Record>(),
                     places);
}

/// Binds the pipeline and a record's columns to the first parameters; gives how many they are.
template <class Record>
int bind_record(SQLite::Statement& statement, const std::string& pipeline, const Record& record) {
  int index = 1;
  statement.bind(index, pipeline);
  each_column(record, [&](const char*, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      statement.bind(++index, value);
    } else {
      statement.bind(++index, static_cast<std::int64_t>(value));
    }
  });
  return index;
}

/// The record that a statement which selects `column_list` stands at.
template <class Record>
Record take_record(SQLite::Statement& statement) {
  Record record;
  int index = 0;
  each_column(record, [&](const char*, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    const SQLite::Column column = statement.getColumn(index++);
    if constexpr (std::is_same_v<Value, std::string>) {
      value = column.getString();
    } else {
      value = static_cast<Value>(column.getInt64());
    }
  });
  return record;
}

/// The columns in which two records differ, in words: `reason: recorded "a", now "b"`; those in
/// `free` may. Empty if there are none.
template <class Record>
std::string differing(const Record& recorded, const Record& now,
                      std::initializer_list<std::string_view> free) {
  constexpr std::size_t kShown = 200;
  std::vector<std::string> before;
  each_column(recorded,
              [&](const char*, const auto& value) { before.push_back(fmt::format("{}", value)); });
  std::string words;
  std::size_t at = 0;
  each_column(now, [&](const char* name, const auto& value) {
    const std::string after = fmt::format("{}", value);
    const std::string& old = before[at++];
    if (old == after || std::find(free.begin(), free.end(), name) != free.end()) return;
    words += fmt::format("{}{}: recorded \"{}\", now \"{}\"", words.empty() ? "" : "; ", name,
                         old.substr(0, kShown), after.substr(0, kShown));
  });
  return words;
}

}  // namespace freshet
