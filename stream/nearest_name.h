#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// The candidate with the smallest edit distance to `name` (the first of equals), for a
/// suggestion; empty when none is nearer than half of the name's length, rounded up.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace freshet
