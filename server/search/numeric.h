// Arithmetic in numpy's order: equal inputs give numpy's bits. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlm::search {

// numpy's sum of contiguous doubles (pairwise, blocks of 128, eight accumulators).
double PairwiseSum(const double* values, size_t n);

// Index of the first maximum; the first NaN counts as the maximum. 0 for an empty list.
size_t ArgMax(const std::vector<double>& values);

// How equal values are ordered. kNumpy is what numpy.argsort does without vector instructions: an
// unstable quicksort, so that equal values come out in an order of its own. Machines differ in it,
// therefore samplers use kStable; kNumpy is for comparing with recorded runs of Optuna.
enum class Argsort { kStable, kNumpy };

// Positions of `values` in ascending order.
std::vector<uint32_t> ArgsortValues(const std::vector<double>& values, Argsort kind);

}  // namespace vlm::search
