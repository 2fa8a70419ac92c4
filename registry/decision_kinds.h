#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace freshet {

/// The kinds of decisions after which another version serves. What was live at a time is the last
/// of these at or before it.
inline constexpr std::array<std::string_view, 4> kChampionKinds = {
    "first_champion",  ///< nothing served before
    "promoted",        ///< by the policy or by hand
    "rolled_back",     ///< by probation or by hand
    "quarantined",     ///< the champion's artifact was damaged: the one before serves instead
};

/// Whether a decision of this kind changes the champion.
inline constexpr bool changes_champion(std::string_view kind) {
  return std::find(kChampionKinds.begin(), kChampionKinds.end(), kind) != kChampionKinds.end();
}

}  // namespace freshet
