#include "server/search/numeric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vlm::search {
namespace {

constexpr ptrdiff_t kInsertionSpan = 15;  // Up to 16 values are left to insertion sort.

// Moves the median of first, middle and last to the last but one place, splits by it and returns
// where it ended up (numpy's quicksort.cpp describes the scheme).
uint32_t* Split(const std::vector<double>& v, uint32_t* first, uint32_t* last) {
  uint32_t* middle = first + ((last - first) >> 1);
  if (v[*middle] < v[*first]) std::swap(*middle, *first);
  if (v[*last] < v[*middle]) std::swap(*last, *middle);
  if (v[*middle] < v[*first]) std::swap(*middle, *first);
  const double pivot = v[*middle];
  uint32_t* left = first;
  uint32_t* right = last - 1;
  std::swap(*middle, *right);
  while (true) {
    do {
      ++left;
    } while (v[*left] < pivot);
    do {
      --right;
    } while (pivot < v[*right]);
    if (left >= right) break;
    std::swap(*left, *right);
  }
  std::swap(*left, *(last - 1));
  return left;
}

// Parts are independent, so the order in which they are sorted does not matter. (numpy turns to
// heapsort after 2 log2(n) bad splits; no history of a study has been seen to need that.)
void QuickSort(const std::vector<double>& v, uint32_t* first, uint32_t* last) {
  while (last - first > kInsertionSpan) {
    uint32_t* at = Split(v, first, last);
    if (at - first < last - at) {
      QuickSort(v, first, at - 1);
      first = at + 1;
    } else {
      QuickSort(v, at + 1, last);
      last = at - 1;
    }
  }
  for (uint32_t* i = first + 1; i <= last; ++i) {
    const uint32_t moved = *i;
    uint32_t* j = i;
    for (; j > first && v[moved] < v[*(j - 1)]; --j) *j = *(j - 1);
    *j = moved;
  }
}

}  // namespace

double PairwiseSum(const double* v, size_t n) {
  if (n < 8) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += v[i];
    return sum;
  }
  if (n <= 128) {
    double r[8];
    std::copy(v, v + 8, r);
    size_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (size_t j = 0; j < 8; ++j) r[j] += v[i + j];
    }
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) sum += v[i];
    return sum;
  }
  size_t half = n / 2;
  half -= half % 8;
  return PairwiseSum(v, half) + PairwiseSum(v + half, n - half);
}

size_t ArgMax(const std::vector<double>& values) {
  size_t best = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) return i;
    if (values[i] > values[best]) best = i;
  }
  return best;
}

std::vector<uint32_t> ArgsortValues(const std::vector<double>& values, Argsort kind) {
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  if (kind == Argsort::kNumpy) {
    if (!order.empty()) QuickSort(values, order.data(), order.data() + order.size() - 1);
  } else {
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return values[a] < values[b]; });
  }
  return order;
}

}  // namespace vlm::search
