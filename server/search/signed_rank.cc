#include "server/search/signed_rank.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace vlm::search {
namespace {

constexpr size_t kMostExact = 50;
constexpr size_t kMostSigned = 13;  // 2^13 sign changes; SciPy resamples 9999 times at most.

struct Ranks {
  std::vector<int64_t> doubled;  // Twice the mean rank of each |difference|: whole numbers.
  double tie_sum = 0;            // Sum of t^3 - t over groups of t equal ones.
  bool ties = false;
};

Ranks RankAll(const std::vector<double>& differences) {
  const size_t n = differences.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto size = [&](size_t i) { return std::abs(differences[i]); };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return size(a) < size(b); });
  Ranks ranks;
  ranks.doubled.resize(n);
  for (size_t first = 0; first < n;) {
    size_t last = first;
    while (last + 1 < n && size(order[last + 1]) == size(order[first])) ++last;
    const auto doubled = static_cast<int64_t>(first + last + 2);
    for (size_t i = first; i <= last; ++i) ranks.doubled[order[i]] = doubled;
    const auto t = static_cast<double>(last - first + 1);
    ranks.tie_sum += t * t * t - t;
    ranks.ties |= last > first;
    first = last + 1;
  }
  return ranks;
}

// How many of the sign changes of `ranks` have each sum. At most 2^50 in all, so doubles are exact.
std::vector<double> SumCounts(const std::vector<int64_t>& ranks) {
  std::vector<double> counts{1};
  for (const int64_t rank : ranks) {
    const auto shift = static_cast<size_t>(rank);
    std::vector<double> next(counts.size() + shift);
    for (size_t sum = 0; sum < counts.size(); ++sum) {
      next[sum] += counts[sum];
      next[sum + shift] += counts[sum];
    }
    counts = std::move(next);
  }
  return counts;
}

}  // namespace

double SignedRankPValue(const std::vector<double>& differences, bool greater) {
  const size_t n = differences.size();
  const Ranks ranks = RankAll(differences);
  std::vector<int64_t> signed_ranks;  // Of the differences that have a sign.
  int64_t positive = 0;
  int64_t zero = 0;
  for (size_t i = 0; i < n; ++i) {
    if (differences[i] == 0) {
      zero += ranks.doubled[i];
      continue;
    }
    signed_ranks.push_back(ranks.doubled[i]);
    if (differences[i] > 0) positive += ranks.doubled[i];
  }
  const bool plain = !ranks.ties && zero == 0;
  if (n <= (plain ? kMostExact : kMostSigned)) {
    // The zeros' share is the same under every change of signs.
    const std::vector<double> counts = SumCounts(signed_ranks);
    const auto from = counts.begin() + positive;
    const double hits = greater ? std::accumulate(from, counts.end(), 0.0)
                                : std::accumulate(counts.begin(), from + 1, 0.0);
    return std::ldexp(hits, -static_cast<int>(signed_ranks.size()));
  }
  const auto count = static_cast<double>(n);
  const double sum = static_cast<double>(positive) / 2 + static_cast<double>(zero) / 4;
  const double mean = count * (count + 1) * 0.25;
  const double variance = count * (count + 1) * (2 * count + 1) - ranks.tie_sum / 2;
  const double deviation = std::sqrt(variance / 24);
  const double z = (sum - mean) / deviation - (greater ? 0.5 : -0.5) / deviation;
  return 0.5 * std::erfc((greater ? z : -z) / std::sqrt(2.0));
}

}  // namespace vlm::search
