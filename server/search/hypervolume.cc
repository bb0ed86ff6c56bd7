#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "server/search/numeric.h"
#include "server/search/pareto.h"

namespace vlm::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using Point = std::vector<double>;

double Box(const Point& corner, const Point& reference) {
  double volume = 1;
  for (size_t c = 0; c < corner.size(); ++c) volume *= reference[c] - corner[c];
  return volume;
}

Point Worse(const Point& a, const Point& b) {
  Point out(a.size());
  for (size_t c = 0; c < a.size(); ++c) out[c] = std::max(a[c], b[c]);
  return out;
}

double TwoObjectives(const LossRows& sorted, const Point& reference) {
  double volume = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double above = i == 0 ? reference[1] : sorted[i - 1][1];
    volume += (reference[0] - sorted[i][0]) * (above - sorted[i][1]);
  }
  return volume;
}

// Depth below the reference over a grid of all first and second coordinates.
double ThreeObjectives(const LossRows& sorted, const Point& reference) {
  const size_t n = sorted.size();
  std::vector<size_t> by_y(n);
  std::iota(by_y.begin(), by_y.end(), size_t{0});
  std::stable_sort(by_y.begin(), by_y.end(),
                   [&](size_t a, size_t b) { return sorted[a][1] < sorted[b][1]; });
  std::vector<double> depth(n, 0);  // Of the present x, by y.
  std::vector<size_t> place(n);
  for (size_t i = 0; i < n; ++i) place[by_y[i]] = i;
  double volume = 0;
  for (size_t i = 0; i < n; ++i) {
    const double own = reference[2] - sorted[i][2];
    for (size_t y = place[i]; y < n; ++y) depth[y] = std::max(depth[y], own);
    double area = 0;
    for (size_t y = 0; y < n; ++y) {
      const double next = y + 1 < n ? sorted[by_y[y + 1]][1] : reference[1];
      area += depth[y] * (next - sorted[by_y[y]][1]);
    }
    volume += area * ((i + 1 < n ? sorted[i + 1][0] : reference[0]) - sorted[i][0]);
  }
  return volume;
}

// While et al., "A Fast Way of Calculating Exact Hypervolumes", equations 6 and 7.
double ManyObjectives(const LossRows& sorted, const Point& reference) {
  if (sorted.size() == 1) return Box(sorted[0], reference);
  if (sorted.size() == 2) {
    return Box(sorted[0], reference) + Box(sorted[1], reference) -
           Box(Worse(sorted[0], sorted[1]), reference);
  }
  double rest = 0;
  for (size_t i = 0; i + 1 < sorted.size(); ++i) {
    LossRows limited;
    for (size_t j = i + 1; j < sorted.size(); ++j) limited.push_back(Worse(sorted[i], sorted[j]));
    if (limited.size() > 3) {
      const std::vector<bool> front = ParetoFront(limited);
      LossRows kept;
      for (size_t j = 0; j < limited.size(); ++j) {
        if (front[j]) kept.push_back(limited[j]);
      }
      limited = std::move(kept);
    }
    rest += Box(sorted[i], reference) - ManyObjectives(limited, reference);
  }
  return Box(sorted.back(), reference) + rest;
}

double OfSortedFront(const LossRows& front, const Point& reference) {
  const double volume = reference.size() == 2   ? TwoObjectives(front, reference)
                        : reference.size() == 3 ? ThreeObjectives(front, reference)
                                                : ManyObjectives(front, reference);
  return std::isfinite(volume) ? volume : kInf;
}

// Greedy choice for two objectives: each point keeps the box that it alone would add.
std::vector<size_t> SelectOfTwo(LossRows rows, std::vector<size_t> index, size_t count,
                                const Point& reference) {
  LossRows corners(rows.size(), reference);
  std::vector<size_t> chosen;
  while (chosen.size() < count) {
    std::vector<double> gains;
    for (size_t i = 0; i < rows.size(); ++i) {
      gains.push_back((corners[i][0] - rows[i][0]) * (corners[i][1] - rows[i][1]));
    }
    const size_t best = ArgMax(gains);
    const auto at = static_cast<ptrdiff_t>(best);
    chosen.push_back(index[best]);
    const Point taken = rows[best];
    rows.erase(rows.begin() + at);
    index.erase(index.begin() + at);
    corners.erase(corners.begin() + at);
    for (size_t i = 0; i < rows.size(); ++i) {
      double& side = corners[i][i < best ? 0 : 1];
      side = std::min(i < best ? taken[0] : taken[1], side);
    }
  }
  return chosen;
}

// New upper bounds of what each row would add to `selected`, exact for those that may be the best.
void UpdateGains(const LossRows& rows, const LossRows& selected, const Point& reference,
                 double volume, std::vector<double>& gains) {
  if (std::isinf(volume)) {
    std::fill(gains.begin(), gains.end(), kInf);
    return;
  }
  std::vector<double> negated;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double alone = Box(rows[i], reference);
    gains[i] = std::min(gains[i], alone - Box(Worse(rows[i], selected.back()), reference));
    negated.push_back(-gains[i]);
  }
  double most = 0;
  for (uint32_t i : ArgsortValues(negated, Argsort::kStable)) {
    const double alone = Box(rows[i], reference);
    if (std::isinf(alone)) {
      gains[i] = most = kInf;
      continue;
    }
    if (gains[i] < most) continue;
    if (reference.size() <= 3) {
      LossRows with = selected;
      with.push_back(rows[i]);
      std::stable_sort(with.begin(), with.end(),
                       [](const Point& a, const Point& b) { return a[0] < b[0]; });
      gains[i] = OfSortedFront(with, reference) - volume;
    } else {
      LossRows shared;
      for (const Point& point : selected) shared.push_back(Worse(rows[i], point));
      gains[i] = alone - Hypervolume(shared, reference);
    }
    most = std::max(gains[i], most);
  }
}

std::vector<size_t> SelectOfMany(LossRows rows, std::vector<size_t> index, size_t count,
                                 const Point& reference) {
  std::vector<double> gains;
  for (const Point& row : rows) gains.push_back(Box(row, reference));
  std::vector<size_t> chosen;
  LossRows selected;
  double volume = 0;
  while (true) {
    const size_t best = ArgMax(gains);
    const auto at = static_cast<ptrdiff_t>(best);
    volume += gains[best];
    chosen.push_back(index[best]);
    selected.push_back(rows[best]);
    gains.erase(gains.begin() + at);
    index.erase(index.begin() + at);
    rows.erase(rows.begin() + at);
    if (chosen.size() == count) return chosen;
    UpdateGains(rows, selected, reference, volume, gains);
  }
}

}  // namespace

double Hypervolume(LossRows rows, const Point& reference) {
  for (double r : reference) {
    if (!std::isfinite(r)) return kInf;
  }
  if (rows.empty()) return 0;
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  const std::vector<bool> front = ParetoFront(rows);
  LossRows kept;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (front[i]) kept.push_back(rows[i]);
  }
  return OfSortedFront(kept, reference);
}

std::vector<size_t> SelectByHypervolume(const LossRows& rows, size_t count,
                                        const Point& reference) {
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (count == rows.size()) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a] < rows[b]; });
  LossRows unique;
  std::vector<size_t> first;  // Position of the first of equal rows.
  for (size_t i : order) {
    if (!unique.empty() && unique.back() == rows[i]) continue;
    unique.push_back(rows[i]);
    first.push_back(i);
  }
  if (unique.size() < count) {
    // All different rows, and of the repeated ones the earliest.
    std::vector<bool> taken(rows.size(), false);
    for (size_t i : first) taken[i] = true;
    for (size_t i = 0; i < rows.size() && first.size() < count; ++i) {
      if (!taken[i]) first.push_back(i);
    }
    return first;
  }
  const bool finite =
      std::all_of(reference.begin(), reference.end(), [](double r) { return std::isfinite(r); });
  if (!finite || first.size() == count) {
    first.resize(count);
    return first;
  }
  return reference.size() == 2 ? SelectOfTwo(unique, first, count, reference)
                               : SelectOfMany(unique, first, count, reference);
}

}  // namespace vlm::search
