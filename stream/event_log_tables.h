#pragma once

#include <string>

#include "stream/sqlite.h"

namespace freshet {

// What an event log's file is made of; docs/log-format.md explains each table and column.

/// Makes an empty database a log, if it is not one yet. Throws Error{corrupt} for another database.
void create_log(SQLite::Database& database, const std::string& path,
                const std::string& description);

/// The description that the log was made with. Throws Error{conflict} naming both formats for one
/// of another format, Error{corrupt} for another database, and for a reader Error{not_found} where
/// nothing was made yet.
std::string check_log(SQLite::Database& database, const std::string& path, bool read_only);

}  // namespace freshet
