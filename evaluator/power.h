#pragma once

namespace freshet {

/// Rows that a test needs on average to reach ln(threshold) when the mean difference is `effect`:
/// about 2 sigma_row^2 ln(threshold) / (effect - margin)^2, at least five blocks. Infinity when the
/// effect does not exceed the margin.
double rows_to_verdict(double row_variance, double log_threshold, double effect, double margin,
                       double block_rows);

}  // namespace freshet
