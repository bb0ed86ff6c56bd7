// Logarithms of the standard normal distribution's tails, exact far out, where the values
// themselves underflow. Pure functions.
#pragma once

namespace vlm::search::gp {

// log of the probability that a standard normal is below z.
double LogNormalCdf(double z);

// log of the expected improvement E[max(0, z + N(0, 1))] = z Phi(z) + phi(z) (Ament et al. 2023,
// "Unexpected Improvements to Expected Improvement", arXiv:2310.20708, equation 9).
double LogStandardImprovement(double z);

// log of the density of a standard normal.
double LogNormalDensity(double z);

// log(exp(a) - exp(b)); minus infinity where b >= a.
double LogDifference(double a, double b);

// log(exp(a) + exp(b)).
double LogSum(double a, double b);

}  // namespace vlm::search::gp
