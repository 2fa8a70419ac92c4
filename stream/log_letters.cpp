#include "stream/log_letters.h"

#include <fmt/format.h>

#include <algorithm>

namespace freshet {
namespace {

constexpr std::size_t kRawBytes = 4096;
constexpr std::int64_t kLettersKept = 100'000;

}  // namespace

void put_letters(SQLite::Database& database, const std::string& table,
                 const std::vector<DeadLetter>& letters) {
  SQLite::Statement insert(
      database,
      fmt::format("INSERT INTO {} (source, line, raw, reason) VALUES (?, ?, ?, ?)", table));
  for (const DeadLetter& letter : letters) {
    insert.bind(1, letter.source);
    insert.bind(2, signed_of(letter.line));
    insert.bind(3, letter.raw.data(), static_cast<int>(std::min(letter.raw.size(), kRawBytes)));
    insert.bind(4, letter.reason);
    insert.exec();
    insert.reset();
  }
  if (letters.empty()) return;
  SQLite::Statement forget(database, fmt::format("DELETE FROM {} WHERE number <= ?", table));
  forget.bind(1, database.getLastInsertRowid() - kLettersKept);
  forget.exec();
}

std::vector<DeadLetter> letters(const SQLite::Database& database, const std::string& table,
                                std::uint64_t limit, std::uint64_t before) {
  std::vector<DeadLetter> newest;
  SQLite::Statement select(database,
                           fmt::format("SELECT source, line, raw, reason, number FROM {} WHERE "
                                       "number<? ORDER BY number DESC LIMIT ?",
                                       table));
  select.bind(1, signed_of(std::min(before, EventLog::kNewest)));
  select.bind(2, signed_of(std::min<std::uint64_t>(limit, 1'000'000'000)));
  while (select.executeStep()) {
    newest.push_back({select.getColumn(0).getString(), unsigned_of(select.getColumn(1)),
                      select.getColumn(2).getString(), select.getColumn(3).getString(),
                      unsigned_of(select.getColumn(4))});
  }
  return newest;
}

}  // namespace freshet
