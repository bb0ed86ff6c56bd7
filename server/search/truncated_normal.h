// The truncated normal distribution with the arithmetic of Optuna's TPE
// (optuna/samplers/_tpe/_truncnorm.py), so that equal inputs give equal bits. Pure functions.
#pragma once

#include <vector>

namespace vlm::search {

inline constexpr double kLogSqrt2Pi = 0.91893853320467274178;

// log of the probability that a standard normal falls into [a, b].
double LogGaussMass(double a, double b);

// Quantiles: element i is ppf(u[i]; a[i], b[i]). All elements form one batch: Newton's iteration
// stops when every element of a batch has converged, which decides the last bits.
std::vector<double> TruncatedNormalQuantiles(const std::vector<double>& u,
                                             const std::vector<double>& a,
                                             const std::vector<double>& b);

}  // namespace vlm::search
