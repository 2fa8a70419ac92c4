#include "evaluator/e_process.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace freshet {

namespace {

/// ln Phi(z), by its asymptotic series where erfc would underflow.
double log_normal_cdf(double z) {
  if (z > -30) return std::log(0.5 * std::erfc(-z / std::numbers::sqrt2));
  return -z * z / 2 - std::log(-z) - 0.5 * std::log(2 * std::numbers::pi);
}

}  // namespace

double log_normal_mixture(double sum, double variance, double rho_squared) {
  const double scale = 1 + rho_squared * variance;
  return std::log(2.0) - 0.5 * std::log(scale) + rho_squared * sum * sum / (2 * scale) +
         log_normal_cdf(std::sqrt(rho_squared) * sum / std::sqrt(scale));
}

double log_elond_threshold(std::uint64_t k, std::uint64_t promotions, double alpha) {
  const auto n = static_cast<double>(k);
  return std::log(n * (n + 1) * (static_cast<double>(promotions) + 1) / alpha);
}

double sequence_rho_squared(double alpha, double t_star) {
  return (-2 * std::log(alpha) + std::log(1 - 2 * std::log(alpha))) / t_star;
}

double sequence_half_width(double deviation, double t, double alpha, double t_star) {
  const double r = sequence_rho_squared(alpha, t_star);
  return deviation *
         std::sqrt(2 * (t * r + 1) / (t * t * r) * std::log(std::sqrt(t * r + 1) / alpha));
}

double one_sided_half_width(double deviation, double t, double alpha, double t_star) {
  const double r = sequence_rho_squared(2 * alpha, t_star);
  return deviation * std::sqrt(2 * (t * r + 1) / (t * t * r) *
                               std::log(1 + std::sqrt(t * r + 1) / (2 * alpha)));
}

void BettingGrid::add(double x) {
  for (int j = 1; j <= kBets; ++j) {
    const double lambda = j / ((kBets + 1) * reach_);
    log_capital_[static_cast<std::size_t>(j - 1)] += std::log1p(lambda * x);
  }
}

double BettingGrid::log_capital() const {
  const double top = *std::max_element(log_capital_.begin(), log_capital_.end());
  double sum = 0;
  for (const double log_k : log_capital_) sum += std::exp(log_k - top);
  return top + std::log(sum / kBets);
}

void BettingGrid::save(Encoder& to) const {
  to.put(reach_);
  for (const double log_k : log_capital_) to.put(log_k);
}

void BettingGrid::load(Decoder& from) {
  reach_ = from.get<double>();
  for (double& log_k : log_capital_) log_k = from.get<double>();
}

}  // namespace freshet
