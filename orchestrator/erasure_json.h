#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stream/erasure.h"
#include "stream/row_store.h"

namespace freshet {

// How an erasure is recorded: as a command's arguments and as its decision's figures, both JSON.
// Neither tells whose data they were.

std::string erasure_arguments(const Erasure& erasure);
/// Throws Error{corrupt} for what is none.
Erasure parse_erasure(const std::string& arguments);

/// {events, first_row, rows}, and what else was found; `first_row` is null where no row was.
std::string erasure_figures(const Erasure& erasure, std::size_t events,
                            const std::vector<std::uint64_t>& rows);

/// The rows below `end`, of those that were not dropped, that are of `questions` (ascending).
std::vector<std::uint64_t> rows_of(RowStore& store, const std::vector<std::uint64_t>& questions,
                                   std::uint64_t end);

}  // namespace freshet
