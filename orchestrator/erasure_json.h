#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "registry/registry.h"
#include "stream/erasure.h"
#include "stream/row_store.h"

namespace freshet {

/// What an operator asks for: see parse_erasure_key.
struct EraseRequest {
  std::string key;
  std::string reason;
  bool dry_run = false;  ///< the figures alone: nothing is recorded, nothing changes
};

/// What came of it.
struct Erased {
  std::optional<Decision> decision;  ///< none: nothing was recorded
  std::string figures;               ///< JSON: {events, records, refused_records, rows, first_row}
  std::string warning;               ///< what is left to be done, in words; empty: nothing is
};

/// As the API answers: the decision's fields, {decisions, figures, warning}; and back. Throws
/// Error{corrupt} for what is none.
nlohmann::json erased_json(const Erased& erased);
Erased erased_of(const nlohmann::json& answer);

/// Whether it found anything.
bool found_any(const Erased& erased);

// How an erasure is recorded, as a command's arguments. They don't tell whose data it was.

struct RecordedErasure {
  Erasure erasure;
  std::string figures;  ///< of its decision, as they were when it was recorded
};
std::string erasure_arguments(const Erasure& erasure, const std::string& figures);
/// Throws Error{corrupt} for what is none.
RecordedErasure parse_erasure(const std::string& arguments);

/// Of an erasure that `command` (a sequence) is to do: {command, events, records, refused_records,
/// rows, first_row}; `first_row` is null where no row was found.
std::string erasure_figures(const Erasure& erasure, std::uint64_t command, RowStore& store,
                            std::uint64_t rows_end);

/// The questions asked at `positions` that were not dropped, ascending.
std::vector<std::uint64_t> questions_at(RowStore& store,
                                        const std::vector<std::uint64_t>& positions);
/// The rows below `end`, of those that were not dropped, that are of `questions` (ascending).
std::vector<std::uint64_t> rows_of(RowStore& store, const std::vector<std::uint64_t>& questions,
                                   std::uint64_t end);

/// Whether the rows that such a decision erased begin below `row`.
bool erased_below(const Decision& decision, std::uint64_t row);
/// Throws Error{conflict} naming the decision if rows below `row` were erased: `revision`, which is
/// not stored, would be learned again otherwise than it was.
void refuse_revision_of_erased(const std::vector<Decision>& decisions, const std::string& revision,
                               std::uint64_t row);

}  // namespace freshet
