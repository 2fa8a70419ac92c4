#include "orchestrator/erasure_json.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "stream/error.h"

namespace freshet {

using nlohmann::json;

namespace {

json letters_json(const std::vector<LetterRewrite>& letters) {
  json all = json::array();
  for (const LetterRewrite& letter : letters) {
    all.push_back({{"number", letter.number}, {"reason", letter.reason}});
  }
  return all;
}

std::vector<LetterRewrite> parse_letters(const json& all) {
  std::vector<LetterRewrite> letters;
  for (const json& one : all) {
    letters.push_back({one.at("number").get<std::uint64_t>(), one.at("reason").get<std::string>()});
  }
  return letters;
}

}  // namespace

std::string erasure_arguments(const Erasure& erasure) {
  const json arguments{{"positions", erasure.records},
                       {"dead_letters", letters_json(erasure.dead_letters)},
                       {"late_events", letters_json(erasure.late_events)}};
  return arguments.dump(-1, ' ', false, json::error_handler_t::replace);
}

Erasure parse_erasure(const std::string& arguments) {
  try {
    const json parsed = json::parse(arguments);
    Erasure erasure;
    erasure.records = parsed.at("positions").get<std::vector<std::vector<std::uint64_t>>>();
    erasure.dead_letters = parse_letters(parsed.at("dead_letters"));
    erasure.late_events = parse_letters(parsed.at("late_events"));
    return erasure;
  } catch (const json::exception& error) {
    throw Error(ErrorKind::corrupt,
                fmt::format("a recorded erase command's arguments are none: {}", error.what()));
  }
}

std::string erasure_figures(const Erasure& erasure, std::size_t events,
                            const std::vector<std::uint64_t>& rows) {
  return json{{"events", events},
              {"records", erasure.positions().size()},
              {"refused_records", erasure.dead_letters.size() + erasure.late_events.size()},
              {"first_row", rows.empty() ? json() : json(rows.front())},
              {"rows", rows.size()}}
      .dump();
}

std::vector<std::uint64_t> rows_of(RowStore& store, const std::vector<std::uint64_t>& questions,
                                   std::uint64_t end) {
  std::vector<std::uint64_t> rows;
  if (questions.empty()) return rows;
  for (std::uint64_t row = store.first_row(); row < end; ++row) {
    if (std::binary_search(questions.begin(), questions.end(), store.row(row).question)) {
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace freshet
