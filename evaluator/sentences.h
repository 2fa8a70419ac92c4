#pragma once

#include <string>

#include "evaluator/evaluation.h"

namespace freshet {

// The words of verdicts.

/// A loss as people call it: "log-loss", "capped MAE".
const char* loss_in_words(LossKind loss);

/// ", between 0.0040 and 0.0200," of the difference (`sign` 1) or of its opposite (-1); empty where
/// there is no interval yet.
std::string interval_text(const EvaluationFigures& figures, int sign);

/// Inconclusive, because no block size fits.
Verdict unsteady(LossKind loss, const EvaluationFigures& figures);

/// What to say when the rows end before a verdict: inconclusive, with reason rows_ended,
/// calibrating or unsteady, how things stand, and how many rows more a difference of the size seen
/// would take.
Verdict undecided(LossKind loss, const EvaluationFigures& figures, std::uint64_t replayed_rows);

}  // namespace freshet
