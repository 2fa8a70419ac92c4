#pragma once

namespace freshet {

/// What an event log's file is made of; docs/log-format.md explains each column.
inline constexpr int kLogApplication = 0x46724C67;  ///< "FrLg", in the file's header
inline constexpr int kLogFormat = 3;

inline constexpr const char* kLogTables = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE batches (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, hash TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE counters (
  accepted INTEGER NOT NULL, duplicates INTEGER NOT NULL, late INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (0, 0, 0, 0);
CREATE TABLE seen_ids (
  end INTEGER PRIMARY KEY, max_time INTEGER NOT NULL, newest INTEGER NOT NULL, hash TEXT NOT NULL,
  ids BLOB NOT NULL
) STRICT;
CREATE TABLE dead_letters (
  number INTEGER PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, raw BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE late_events (
  number INTEGER PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, raw BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE progress (
  name TEXT PRIMARY KEY, identity TEXT NOT NULL, bytes INTEGER NOT NULL, records INTEGER NOT NULL,
  rolling_hash TEXT NOT NULL, header TEXT NOT NULL
) STRICT;
)";

}  // namespace freshet
