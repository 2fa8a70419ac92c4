#pragma once

namespace freshet {

/// Version of the registry's tables, in `user_version`.
inline constexpr int kRegistryFormat = 2;

/// docs/registry-format.md explains each table.
inline constexpr const char* kRegistryTables = R"(
CREATE TABLE pipelines (name TEXT PRIMARY KEY NOT NULL, config TEXT NOT NULL) STRICT;
CREATE TABLE versions (
  pipeline TEXT NOT NULL REFERENCES pipelines (name),
  number INTEGER NOT NULL, kind TEXT NOT NULL, recipe TEXT NOT NULL, recipe_name TEXT NOT NULL,
  feature_identity TEXT NOT NULL, rows_begin INTEGER NOT NULL, rows_end INTEGER NOT NULL,
  knowledge_position INTEGER NOT NULL, parent INTEGER NOT NULL, seed INTEGER NOT NULL,
  build TEXT NOT NULL, profile TEXT NOT NULL, status TEXT NOT NULL,
  created_row INTEGER NOT NULL, created_time INTEGER NOT NULL,
  parent_row INTEGER NOT NULL DEFAULT 0, epochs INTEGER NOT NULL DEFAULT 0,
  promoted_row INTEGER NOT NULL DEFAULT 0, stopped_row INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (pipeline, number)
) STRICT;
CREATE TABLE revisions (
  pipeline TEXT NOT NULL, version INTEGER NOT NULL, row INTEGER NOT NULL, artifact TEXT NOT NULL,
  learner_state TEXT NOT NULL,
  PRIMARY KEY (pipeline, version, row),
  FOREIGN KEY (pipeline, version) REFERENCES versions (pipeline, number)
) STRICT;
CREATE TABLE aliases (
  pipeline TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (pipeline, alias),
  FOREIGN KEY (pipeline, version) REFERENCES versions (pipeline, number)
) STRICT;
CREATE TABLE evaluations (
  pipeline TEXT NOT NULL REFERENCES pipelines (name),
  number INTEGER NOT NULL, candidate INTEGER NOT NULL, champion INTEGER NOT NULL,
  status TEXT NOT NULL, reason TEXT NOT NULL, sentence TEXT NOT NULL, policy TEXT NOT NULL,
  figures TEXT NOT NULL, series TEXT NOT NULL, start_question INTEGER NOT NULL,
  start_row INTEGER NOT NULL, end_row INTEGER NOT NULL,
  PRIMARY KEY (pipeline, number)
) STRICT;
CREATE TABLE decisions (
  pipeline TEXT NOT NULL REFERENCES pipelines (name),
  sequence INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  figures TEXT NOT NULL, row INTEGER NOT NULL, position INTEGER NOT NULL, time INTEGER NOT NULL,
  config_hash TEXT NOT NULL, from_version INTEGER NOT NULL, from_row INTEGER NOT NULL,
  to_version INTEGER NOT NULL, to_row INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  wall_time TEXT NOT NULL,
  PRIMARY KEY (pipeline, sequence)
) STRICT;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
  BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
  BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_no_replace BEFORE INSERT ON decisions
  WHEN EXISTS (SELECT 1 FROM decisions WHERE pipeline=NEW.pipeline AND sequence=NEW.sequence)
  BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TABLE commands (
  pipeline TEXT NOT NULL REFERENCES pipelines (name),
  sequence INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL,
  arguments TEXT NOT NULL, reason TEXT NOT NULL, wall_time TEXT NOT NULL,
  PRIMARY KEY (pipeline, sequence)
) STRICT;
CREATE TABLE checkpoints (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline TEXT NOT NULL REFERENCES pipelines (name),
  position INTEGER NOT NULL, row INTEGER NOT NULL, questions INTEGER NOT NULL,
  fingerprint TEXT NOT NULL, sha256 TEXT NOT NULL, state BLOB NOT NULL
) STRICT;
)";

/// From format 1, which knew less of how a version came to be.
inline constexpr const char* kRegistryFromFormat1 = R"(
ALTER TABLE versions ADD COLUMN parent_row INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN epochs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN promoted_row INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN stopped_row INTEGER NOT NULL DEFAULT 0;
)";

}  // namespace freshet
