// The truncated normal distribution with the arithmetic of Optuna's TPE
// (optuna/samplers/_tpe/_truncnorm.py), so that equal inputs give equal bits. Pure functions.
#pragma once

#include <cstddef>
#include <vector>

namespace vlm::search {

// log(sqrt(2 pi)) as Python evaluates it, an ulp below the correctly rounded value.
inline constexpr double kLogSqrt2Pi = 0x1.d67f1c864beb4p-1;

// Optuna evaluates erf by a polynomial when an array has so many elements, by the C library below.
inline constexpr size_t kBigArray = 2000;
enum class Erf { kLibrary, kPolynomial };
inline Erf ErfFor(size_t elements) {
  return elements < kBigArray ? Erf::kLibrary : Erf::kPolynomial;
}
// Whether the mass of [a, b] is one of the elements that count for that: those around the mean.
inline bool IsCentral(double a, double b) { return !(b <= 0 || a > 0); }

// log of the probability that a standard normal falls into [a, b].
double LogGaussMass(double a, double b, Erf erf);

// Quantiles: element i is ppf(u[i]; a[i], b[i]). All elements form one batch: Newton's iteration
// stops when every element of a batch has converged, which decides the last bits.
std::vector<double> TruncatedNormalQuantiles(const std::vector<double>& u,
                                             const std::vector<double>& a,
                                             const std::vector<double>& b);

}  // namespace vlm::search
