#pragma once

#include <utility>

namespace freshet {

// Howard, Ramdas, McAuliffe, Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
// sequences": ln of mixture e-processes for a sum S whose intrinsic time is V. Pure functions;
// `rho` > 0 is their mixing variance: V_opt * 1 / (-2 ln alpha + ln(1 - 2 ln alpha)) is tightest
// at V_opt (mixture_rho; for a one-sided process with 2 alpha in place of alpha).
double mixture_rho(double alpha, double v_opt);

/// Two-sided, for sub-Gaussian S: the normal mixture.
double log_two_sided_mixture(double sum, double variance, double rho);

/// One-sided, for S sub-exponential of scale c > 0, so with unbounded losses: the gamma mixture
/// (Proposition 9). Minus infinity where S is so low that no bet pays: c S + V + rho <= 0.
double log_gamma_exponential_mixture(double sum, double variance, double rho, double scale);

/// McNemar's question as an e-value: that `plus` and `minus` come from fair coin flips, against
/// the uniform mixture of unfair ones, 2^n B(plus + 1, minus + 1).
double log_mcnemar(double plus, double minus);

/// Confidence sequence of a Bernoulli mean after `trials` > 0 flips, valid at all of them together,
/// tightest at `t_opt`: the p whose beta-binomial mixture stays below 1 / alpha.
std::pair<double, double> bernoulli_interval(double successes, double trials, double alpha,
                                             double t_opt);

}  // namespace freshet
