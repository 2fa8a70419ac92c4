#include "evaluator/mixtures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "evaluator/e_process.h"

namespace freshet {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double log_beta(double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); }

/// ln of the regularized lower incomplete gamma function, a > 0 and x > 0: its series below the
/// mean, the complement's continued fraction (Lentz) above (DLMF 8.7.1 and 8.9.2).
double log_gamma_p(double a, double x) {
  constexpr int kMost = 100'000;
  constexpr double kEnough = 1e-16;
  const double front = a * std::log(x) - x - std::lgamma(a);
  if (x < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (int n = 1; n < kMost && term > sum * kEnough; ++n) sum += term *= x / (a + n);
    return front + std::log(sum);
  }
  double b = x + 1 - a;
  double c = kInfinity;
  double d = 1 / b;
  double fraction = d;
  for (int n = 1; n < kMost; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = 1 / (b + numerator * d);
    c = b + numerator / c;
    fraction *= c * d;
    if (std::abs(c * d - 1) < kEnough) break;
  }
  return std::log1p(-std::exp(front) * fraction);
}

/// Two-sided beta-binomial mixture for flips of mean p, which move their sum by -p or 1 - p.
double log_beta_binomial(double sum, double variance, double p, double v_opt) {
  constexpr double kTunedAlpha = 0.05;
  const double g = p;
  const double h = 1 - p;
  const double r = std::max(mixture_rho(kTunedAlpha, v_opt) - g * h, 1e-3 * g * h);
  return -(variance + h * sum) / h * std::log(g) - (variance - g * sum) / g * std::log(h) +
         log_beta((r + variance - g * sum) / g, (r + variance + h * sum) / h) -
         log_beta(r / g, r / h);
}

}  // namespace

double mixture_rho(double alpha, double v_opt) { return 1 / sequence_rho_squared(alpha, v_opt); }

double log_two_sided_mixture(double sum, double variance, double rho) {
  return 0.5 * std::log(rho / (variance + rho)) + sum * sum / (2 * (variance + rho));
}

double log_gamma_exponential_mixture(double sum, double variance, double rho, double scale) {
  const double r = rho / (scale * scale);
  const double shape = (variance + rho) / (scale * scale);
  const double reach = (scale * sum + variance) / (scale * scale);
  if (reach + r <= 0) return -kInfinity;
  return r * std::log(r) - std::lgamma(r) - log_gamma_p(r, r) + std::lgamma(shape) +
         log_gamma_p(shape, reach + r) - shape * std::log(reach + r) + reach;
}

double log_mcnemar(double plus, double minus) {
  return (plus + minus) * std::numbers::ln2 + log_beta(plus + 1, minus + 1);
}

std::pair<double, double> bernoulli_interval(double successes, double trials, double alpha,
                                             double t_opt) {
  const double mean = successes / trials;
  const auto excluded = [&](double p) {
    const double variance = p * (1 - p);
    return log_beta_binomial(successes - trials * p, trials * variance, p, t_opt * variance) >
           -std::log(alpha);
  };
  const auto edge = [&](double outside) {
    double inside = mean;
    for (int i = 0; i < 60; ++i) {
      const double middle = (inside + outside) / 2;
      (excluded(middle) ? outside : inside) = middle;
    }
    return inside;
  };
  return {mean > 0 ? edge(0) : 0, mean < 1 ? edge(1) : 1};
}

}  // namespace freshet
