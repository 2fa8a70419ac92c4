#pragma once

#include <cstdint>
#include <span>

namespace freshet {

/// What calibration found about the paired losses' dependence in time.
struct BlockChoice {
  std::uint32_t block_rows = 0;  ///< b
  double inflation = 1;          ///< of the variance of sums of blocks over that of blocks
  double variance = 0;           ///< v, of block means
  bool rare = false;             ///< the minority is too rare for the mixture test
  bool unsteady = false;         ///< no block size has inflation <= 2
  bool eligible = false;         ///< some block size meets both conditions
};

/// Chooses the block length from calibration differences, in asked order: the smallest of 50, 100,
/// 200, 500 whose inflation is at most 2 and that holds at least .4 minority rows on average.
/// `minority_share` < 0: there is no minority (regression).
BlockChoice choose_blocks(std::span<const double> differences, double minority_share);

}  // namespace freshet
