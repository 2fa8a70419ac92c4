#pragma once

#include <array>
#include <cstdint>

#include "stream/codec.h"

namespace freshet {

/// ln of the one-sided normal-mixture e-process (Howard, Ramdas, McAuliffe, Sekhon 2021, eq. 3.6
/// as an e-value): 2 / sqrt(1 + r V) exp(r S^2 / (2 (1 + r V))) Phi(sqrt(r) S / sqrt(1 + r V)),
/// r = rho squared, S the sum, V its variance.
double log_normal_mixture(double sum, double variance, double rho_squared);

/// ln(k (k + 1) (R + 1) / alpha): e-LOND's threshold for the k-th evaluation after R promotions
/// (Xu & Ramdas, "Online multiple testing with e-values", 2024).
double log_elond_threshold(std::uint64_t k, std::uint64_t promotions, double alpha);

/// Half-width of the two-sided asymptotic confidence sequence after t blocks (Waudby-Smith et al.
/// 2024): deviation sqrt(2 (t r + 1) / (t^2 r) ln(sqrt(t r + 1) / alpha)), tuned to be tightest
/// at `t_star`.
double sequence_half_width(double deviation, double t, double alpha, double t_star);
/// The one-sided bound's distance from the mean.
double one_sided_half_width(double deviation, double t, double alpha, double t_star);
double sequence_rho_squared(double alpha, double t_star);

/// Betting on "the running average of x is at most 0" (Waudby-Smith & Ramdas 2024, a hedged grid of
/// fixed bets): K = 1/D sum over j of prod (1 + lambda_j x), lambda_j = j / ((D + 1) (B + m)),
/// for x >= -(B + m).
class BettingGrid {
 public:
  static constexpr int kBets = 20;

  /// `reach`: B + m.
  explicit BettingGrid(double reach) : reach_(reach) {}

  void add(double x);
  double log_capital() const;

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  double reach_;
  std::array<double, kBets> log_capital_{};
};

}  // namespace freshet
