#pragma once

#include "orchestrator/inspect_table.h"

namespace freshet {

/// Records that are needed to tell that a field gives the label away.
inline constexpr std::size_t kLeakRecords = 30;

/// Pearson's correlation of two numeric fields where both are there; 0 if one is constant or fewer
/// than `kLeakRecords` are.
double correlation(const InspectedField& a, const InspectedField& b);

/// Whether a + b is the label in all records with a label, and neither is a constant.
bool sums_to(const InspectedField& a, const InspectedField& b, const InspectedField& label);

/// How well one threshold on a number tells the classes 0 and 1 apart: the area under the ROC
/// curve, from .5 to 1, whichever way it points. 0 if fewer than five records of a class are there.
double separation(const InspectedField& field, const std::vector<double>& classes);

}  // namespace freshet
