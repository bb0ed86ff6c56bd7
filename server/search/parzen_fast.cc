#include "server/search/parzen_fast.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "server/search/numeric.h"

// Sanitizers must not run inside the resolvers that choose a clone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VLM_FOR_EACH_MACHINE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VLM_FOR_EACH_MACHINE
#endif

namespace vlm::search {
namespace {

constexpr double kLog2E = 0x1.71547652b82fep0;
constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits, so that a product with k is exact.
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kRound = 0x1.8p52;  // Added and taken away it rounds to a whole number.
constexpr double kLeast = -700;      // exp of less would not be a normal number.
constexpr size_t kLanes = 8;

}  // namespace

VLM_FOR_EACH_MACHINE
void SubtractHalfSquares(double x, const double* __restrict mu,
                         const double* __restrict inverse_sigma, size_t n,
                         double* __restrict exponents) {
  for (size_t k = 0; k < n; ++k) {
    const double z = (x - mu[k]) * inverse_sigma[k];
    exponents[k] -= 0.5 * (z * z);
  }
}

void AddFromTable(const double* table, const uint32_t* index, size_t n, double* exponents) {
  for (size_t k = 0; k < n; ++k) exponents[k] += table[index[k]];
}

// values[k] = weights[k] * exp(values[k] - shift): reduced by k ln 2, then the series to x^13 /
// 13!, whose rest is below 1e-17 for |x| <= 0.35.
VLM_FOR_EACH_MACHINE
static void WeightedExp(const double* __restrict weights, double shift, size_t n,
                        double* __restrict values) {
  for (size_t k = 0; k < n; ++k) {
    const double x = std::max(values[k] - shift, kLeast);
    const double rounded = x * kLog2E + kRound;
    const double whole = rounded - kRound;
    const double r = (x - whole * kLn2High) - whole * kLn2Low;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    // The whole number stands in the lowest bits; moved up it is added to p's exponent.
    const uint64_t power = std::bit_cast<uint64_t>(rounded) << 52;
    values[k] = weights[k] * std::bit_cast<double>(std::bit_cast<uint64_t>(p) + power);
  }
}

VLM_FOR_EACH_MACHINE
static double Largest(const double* values, size_t n) {
  double lanes[kLanes];
  std::fill(lanes, lanes + kLanes, values[0]);
  size_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (size_t i = 0; i < kLanes; ++i) {
      lanes[i] = values[k + i] > lanes[i] ? values[k + i] : lanes[i];
    }
  }
  for (; k < n; ++k) lanes[0] = std::max(lanes[0], values[k]);
  return *std::max_element(lanes, lanes + kLanes);
}

double LogWeightedExpSum(const double* weights, size_t n, double* exponents) {
  const double largest = Largest(exponents, n);
  WeightedExp(weights, largest, n, exponents);
  return std::log(PairwiseSum(exponents, n)) + largest;
}

}  // namespace vlm::search
