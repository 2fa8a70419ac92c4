#pragma once

#include <string>
#include <vector>

#include "faults/tally.h"

namespace freshet {

/// How a workspace stands that nobody owns, once its stream is through: `registry verify` finds no
/// damage, its log holds each acknowledged id exactly once and nothing else, and it has the
/// fingerprint that an undisturbed run of `config` over the same log ends with.
Standing judged(const std::string& config, const std::string& workspace,
                const std::vector<std::string>& acknowledged);

/// A standing that differs, for what ended before it could be judged.
Standing broken(const std::string& said);

}  // namespace freshet
