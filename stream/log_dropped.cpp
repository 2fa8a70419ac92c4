#include "stream/log_dropped.h"

namespace freshet {

std::uint64_t count_dropped(const SQLite::Database& database) {
  SQLite::Statement select(database, "SELECT coalesce(max(stretch) + 1, 0) FROM dropped");
  select.executeStep();
  return unsigned_of(select.getColumn(0));
}

void each_dropped(const SQLite::Database& database,
                  const std::function<void(const std::string& hash)>& each) {
  SQLite::Statement select(database, "SELECT hash FROM dropped ORDER BY stretch");
  while (select.executeStep()) each(select.getColumn(0).getString());
}

void put_dropped(SQLite::Database& database, std::uint64_t number, const std::string& hash,
                 std::uint64_t end) {
  SQLite::Statement insert(database, "INSERT INTO dropped VALUES (?, ?)");
  insert.bind(1, signed_of(number));
  insert.bind(2, hash);
  insert.exec();
  SQLite::Statement remove(database,
                           "DELETE FROM batches WHERE first < ?1 AND first + count <= ?1");
  remove.bind(1, signed_of(end));
  remove.exec();
}

}  // namespace freshet
