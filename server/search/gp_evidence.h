// How well parameters of the kernel explain observations, and the best ones: marginal likelihood
// (Rasmussen and Williams 2006, equation 5.8 and its gradient 5.9) times Optuna's priors
// (optuna/_gp/prior.py). Pure functions.
#pragma once

#include "server/search/gp_kernel.h"

namespace vlm::search::gp {

// The variance of the noise stays above it, which keeps covariances invertible.
inline constexpr double kLeastNoise = 1e-6;

struct Observations {
  Points points;
  VectorXd values;  // One a point; mean 0, variance 1.
  Categories categories;
};

// All weights 1, scale 1, noise 1: where the first fit begins.
KernelParams DefaultParams(Eigen::Index dimensions);

// Minus the logarithm of likelihood times prior, up to a constant, at raw = log(weights...), log
// (scale), log(noise - kLeastNoise); and its gradient by raw.
double NegativeLogPosterior(const Observations& observed, const std::vector<double>& raw,
                            double* gradient);

// The parameters that maximize it, searched from `start`.
KernelParams FitKernel(const Observations& observed, const KernelParams& start);

}  // namespace vlm::search::gp
