#include "server/search/pareto.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vlm::search {
namespace {

// The first objective is ascending, so only the others decide.
std::vector<bool> FrontOfMany(const LossRows& sorted) {
  std::vector<bool> front(sorted.size(), false);
  std::vector<size_t> remaining(sorted.size());
  std::iota(remaining.begin(), remaining.end(), size_t{0});
  while (!remaining.empty()) {
    const size_t top = remaining.front();
    front[top] = true;
    std::vector<size_t> next;
    for (size_t i : remaining) {
      bool better = false;
      for (size_t c = 1; c < sorted[i].size(); ++c) better |= sorted[i][c] < sorted[top][c];
      if (better) next.push_back(i);
    }
    remaining = std::move(next);
  }
  return front;
}

}  // namespace

std::vector<bool> ParetoFront(const LossRows& sorted) {
  if (sorted.empty()) return {};
  const size_t objectives = sorted[0].size();
  if (objectives > 2) return FrontOfMany(sorted);
  std::vector<bool> front(sorted.size(), false);
  front[0] = true;
  double least = objectives == 2 ? sorted[0][1] : 0;
  for (size_t i = 1; objectives == 2 && i < sorted.size(); ++i) {
    front[i] = sorted[i][1] < least;
    least = std::min(least, sorted[i][1]);
  }
  return front;
}

std::vector<size_t> NonDominationRanks(const LossRows& rows, size_t enough) {
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a] < rows[b]; });
  LossRows unique;
  std::vector<size_t> unique_of(rows.size());
  for (size_t i : order) {
    if (unique.empty() || unique.back() != rows[i]) unique.push_back(rows[i]);
    unique_of[i] = unique.size() - 1;
  }
  std::vector<size_t> unique_ranks(unique.size());
  std::vector<size_t> left(unique.size());
  std::iota(left.begin(), left.end(), size_t{0});
  const size_t total = unique.size();
  enough = std::min(enough, total);
  size_t rank = 0;
  for (; total - left.size() < enough; ++rank) {
    const std::vector<bool> front = ParetoFront(unique);
    LossRows behind;
    std::vector<size_t> behind_index;
    for (size_t i = 0; i < left.size(); ++i) {
      if (front[i]) {
        unique_ranks[left[i]] = rank;
      } else {
        behind.push_back(std::move(unique[i]));
        behind_index.push_back(left[i]);
      }
    }
    unique = std::move(behind);
    left = std::move(behind_index);
  }
  for (size_t i : left) unique_ranks[i] = rank;
  std::vector<size_t> ranks(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) ranks[i] = unique_ranks[unique_of[i]];
  return ranks;
}

std::vector<double> ReferencePoint(const LossRows& rows) {
  constexpr double kEpsilon = 1e-12;
  std::vector<double> reference = rows[0];
  for (size_t c = 0; c < reference.size(); ++c) {
    for (const auto& row : rows) reference[c] = std::max(reference[c], row[c]);
    reference[c] = std::max(1.1 * reference[c], 0.9 * reference[c]);
    if (reference[c] == 0) reference[c] = kEpsilon;
  }
  return reference;
}

}  // namespace vlm::search
