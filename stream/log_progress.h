#pragma once

#include <map>
#include <string>
#include <vector>

#include "stream/source.h"
#include "stream/sqlite.h"

namespace freshet {

/// The log's table `progress`, by name.
std::vector<SourceProgress> read_progress(const SQLite::Database& database);

/// What its one writer puts there: how far each input was read goes on from what this writer has
/// last stored, or somebody else wrote. Used by one thread, within transactions.
class ProgressWriter {
 public:
  /// Throws Error{conflict} where the table holds another progress than was stored last.
  void put(SQLite::Database& database, const std::vector<SourceProgress>& all,
           const std::string& path) const;
  /// These are in the table for good.
  void stored(const std::vector<SourceProgress>& all);

 private:
  std::map<std::string, SourceProgress> stored_;
};

}  // namespace freshet
