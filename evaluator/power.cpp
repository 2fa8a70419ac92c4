#include "evaluator/power.h"

#include <algorithm>
#include <limits>

namespace freshet {

double rows_to_verdict(double row_variance, double log_threshold, double effect, double margin,
                       double block_rows) {
  if (effect <= margin) return std::numeric_limits<double>::infinity();
  const double beyond = effect - margin;
  return std::max(5 * block_rows, 2 * row_variance * log_threshold / (beyond * beyond));
}

}  // namespace freshet
