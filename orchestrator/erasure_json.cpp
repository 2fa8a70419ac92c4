#include "orchestrator/erasure_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "orchestrator/registry_json.h"
#include "orchestrator/settled_rows.h"
#include "stream/error.h"

namespace freshet {

using nlohmann::json;

namespace {

/// Ascending numbers as [[first, last], …].
json ranges_json(const std::vector<std::uint64_t>& numbers) {
  json ranges = json::array();
  for (const std::uint64_t number : numbers) {
    if (!ranges.empty() && ranges.back()[1].get<std::uint64_t>() + 1 == number) {
      ranges.back()[1] = number;
    } else {
      ranges.push_back({number, number});
    }
  }
  return ranges;
}

std::vector<std::uint64_t> parse_ranges(const json& ranges) {
  std::vector<std::uint64_t> numbers;
  for (const json& range : ranges) {
    const auto last = range.at(1).get<std::uint64_t>();
    for (auto number = range.at(0).get<std::uint64_t>(); number <= last; ++number) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

}  // namespace

json erased_json(const Erased& erased) {
  json answer = erased.decision ? decision_json(*erased.decision) : json::object();
  answer["decisions"] = json::array();
  if (erased.decision) answer["decisions"].push_back(decision_json(*erased.decision));
  answer["figures"] = json::parse(erased.figures);
  answer["warning"] = erased.warning.empty() ? json() : json(erased.warning);
  return answer;
}

Erased erased_of(const json& answer) {
  try {
    Erased erased;
    for (const json& one : answer.at("decisions")) erased.decision = decision_of(one);
    erased.figures = answer.at("figures").dump();
    const json& warning = answer.at("warning");
    if (!warning.is_null()) erased.warning = warning.get<std::string>();
    return erased;
  } catch (const json::exception& error) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the answer to an erase command is none: {}", error.what()));
  }
}

bool found_any(const Erased& erased) {
  const json figures = json::parse(erased.figures);
  return figures.at("records") != 0 || figures.at("refused_records") != 0;
}

// Those that share an id with another one apart, as most don't.
std::string erasure_arguments(const Erasure& erasure, const std::string& figures) {
  std::vector<std::uint64_t> single;
  json same_id = json::array();
  for (const std::vector<std::uint64_t>& positions : erasure.records) {
    if (positions.size() == 1) {
      single.push_back(positions.front());
    } else {
      same_id.push_back(positions);
    }
  }
  return json{{"positions", ranges_json(single)},
              {"same_id", std::move(same_id)},
              {"dead_letters", ranges_json(erasure.dead_letters)},
              {"late_events", ranges_json(erasure.late_events)},
              {"figures", json::parse(figures)}}
      .dump();
}

RecordedErasure parse_erasure(const std::string& arguments) {
  try {
    const json parsed = json::parse(arguments);
    RecordedErasure recorded;
    Erasure& erasure = recorded.erasure;
    erasure.records = parsed.at("same_id").get<std::vector<std::vector<std::uint64_t>>>();
    for (const std::uint64_t position : parse_ranges(parsed.at("positions"))) {
      erasure.records.push_back({position});
    }
    erasure.dead_letters = parse_ranges(parsed.at("dead_letters"));
    erasure.late_events = parse_ranges(parsed.at("late_events"));
    recorded.figures = parsed.at("figures").dump();
    return recorded;
  } catch (const json::exception& error) {
    throw Error(ErrorKind::corrupt,
                fmt::format("a recorded erase command's arguments are none: {}", error.what()));
  }
}

std::string erasure_figures(const Erasure& erasure, std::uint64_t command, RowStore& store,
                            std::uint64_t rows_end) {
  const std::vector<std::uint64_t> positions = erasure.positions();
  const std::vector<std::uint64_t> questions = questions_at(store, positions);
  const std::vector<std::uint64_t> rows = rows_of(store, questions, rows_end);
  return json{{"command", command},
              {"events", questions.size()},
              {"records", positions.size()},
              {"refused_records", erasure.dead_letters.size() + erasure.late_events.size()},
              {"first_row", rows.empty() ? json() : json(rows.front())},
              {"rows", rows.size()}}
      .dump();
}

std::vector<std::uint64_t> questions_at(RowStore& store,
                                        const std::vector<std::uint64_t>& positions) {
  std::vector<std::uint64_t> questions;
  for (const std::uint64_t position : positions) {
    const std::uint64_t question = first_question_at(store, store.questions(), position);
    const bool is_there = question < store.questions() && store.position(question) == position;
    if (is_there) questions.push_back(question);
  }
  return questions;
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

bool erased_below(const Decision& decision, std::uint64_t row) {
  if (decision.kind != "erased") return false;
  const json first = json::parse(decision.figures).at("first_row");
  return !first.is_null() && first.get<std::uint64_t>() < row;
}

void refuse_revision_of_erased(const std::vector<Decision>& decisions, const std::string& revision,
                               std::uint64_t row) {
  for (const Decision& decision : decisions) {
    if (!erased_below(decision, row)) continue;
    throw Error(ErrorKind::conflict,
                fmt::format("revision {} is not stored whole, and cannot be made again as it was: "
                            "it learned from rows that were erased since (decision {}); choose one "
                            "that is stored, see freshet registry show",
                            revision, decision.sequence));
  }
}

}  // namespace freshet
