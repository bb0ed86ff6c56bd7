// Vectorized loops over kernels for a close estimate of a density; compiled for several instruction
// sets, the machine's best is taken. Pure functions; arrays must not overlap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vlm::search {

// exponents[k] -= ((x - mu[k]) * inverse_sigma[k])^2 / 2
void SubtractHalfSquares(double x, const double* mu, const double* inverse_sigma, size_t n,
                         double* exponents);
// exponents[k] += table[index[k]]
void AddFromTable(const double* table, const uint32_t* index, size_t n, double* exponents);
// log of the sum of weights[k] * exp(exponents[k]); relative error of the sum below 1e-13.
// Overwrites exponents.
double LogWeightedExpSum(const double* weights, size_t n, double* exponents);

}  // namespace vlm::search
