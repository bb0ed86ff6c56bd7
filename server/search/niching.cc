#include "server/search/niching.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace vlm::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Infinite values come a little outside of the finite ones.
void ReplaceInfinite(LossRows& rows) {
  for (size_t c = 0; c < rows[0].size(); ++c) {
    double least = kInf;
    double most = -kInf;
    for (const auto& row : rows) {
      if (!std::isfinite(row[c])) continue;
      least = std::min(least, row[c]);
      most = std::max(most, row[c]);
    }
    if (least > most) least = most = 0;
    const double margin = 3 * (most - least);
    for (auto& row : rows) row[c] = std::min(std::max(row[c], least - margin), most + margin);
  }
}

// x of matrix x = (1, ..., 1) by elimination with row pivots; empty if the matrix is singular.
std::vector<double> SolveForOnes(LossRows a) {
  const size_t n = a.size();
  std::vector<double> x(n, 1.0);
  double largest = 0;
  for (const auto& row : a) {
    for (double v : row) {
      if (!std::isfinite(v)) return {};
      largest = std::max(largest, std::abs(v));
    }
  }
  const double least = largest * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  for (size_t c = 0; c < n; ++c) {
    size_t pivot = c;
    for (size_t r = c + 1; r < n; ++r) {
      if (std::abs(a[r][c]) > std::abs(a[pivot][c])) pivot = r;
    }
    if (std::abs(a[pivot][c]) <= least) return {};
    std::swap(a[c], a[pivot]);
    std::swap(x[c], x[pivot]);
    for (size_t r = c + 1; r < n; ++r) {
      const double factor = a[r][c] / a[c][c];
      for (size_t k = c; k < n; ++k) a[r][k] -= factor * a[c][k];
      x[r] -= factor * x[c];
    }
  }
  for (size_t c = n; c-- > 0;) {
    for (size_t k = c + 1; k < n; ++k) x[c] -= a[c][k] * x[k];
    x[c] /= a[c][c];
  }
  return x;
}

// So that the ideal point is 0 and the plane through the extreme points cuts the axes at 1.
void Normalize(LossRows& rows) {
  const size_t objectives = rows[0].size();
  std::vector<double> most(objectives, 0);
  for (size_t c = 0; c < objectives; ++c) {
    double least = kInf;
    for (const auto& row : rows) least = std::min(least, row[c]);
    for (auto& row : rows) {
      row[c] -= least;
      most[c] = std::max(most[c], row[c]);
    }
  }
  LossRows extreme;
  for (size_t axis = 0; axis < objectives; ++axis) {
    size_t best = 0;
    double lowest = kInf;
    for (size_t i = 0; i < rows.size(); ++i) {
      double scalar = -kInf;
      for (size_t c = 0; c < objectives; ++c) {
        scalar = std::max(scalar, rows[i][c] * (c == axis ? 1.0 : 1e6));
      }
      if (scalar < lowest) {
        lowest = scalar;
        best = i;
      }
    }
    extreme.push_back(rows[best]);
  }
  std::vector<double> factors = SolveForOnes(extreme);
  if (factors.empty()) {
    for (double m : most) factors.push_back(1 / (m == 0 ? 1 : m));
  }
  for (auto& row : rows) {
    for (size_t c = 0; c < objectives; ++c) row[c] *= std::isfinite(factors[c]) ? factors[c] : 1;
  }
}

void AddReferencePoints(size_t first, size_t left, std::vector<double>& point, LossRows& out) {
  if (left == 0) {
    out.push_back(point);
    return;
  }
  for (size_t c = first; c < point.size(); ++c) {
    point[c] += 1;
    AddReferencePoints(c, left - 1, point, out);
    point[c] -= 1;
  }
}

struct Nearest {
  size_t line = 0;
  double distance = kInf;
};

Nearest NearestLine(const std::vector<double>& row, const LossRows& references) {
  Nearest nearest;
  for (size_t p = 0; p < references.size(); ++p) {
    const std::vector<double>& line = references[p];
    double square = 0;
    for (double v : line) square += v * v;
    const double norm = std::sqrt(square);
    const double inverse = 1 / (norm * norm);
    double distance = 0;
    for (size_t m = 0; m < row.size(); ++m) {
      double along = 0;
      for (size_t i = 0; i < row.size(); ++i) along += row[i] * line[i] * inverse * line[m];
      distance += (row[m] - along) * (row[m] - along);
    }
    distance = std::sqrt(distance);
    if (distance < nearest.distance) nearest = {p, distance};
  }
  return nearest;
}

template <typename T>
void Shuffle(std::vector<T>& list, RandomSource& random) {
  for (size_t i = list.size(); i-- > 1;) {
    std::swap(list[i], list[random.Below(static_cast<uint32_t>(i + 1))]);
  }
}

}  // namespace

LossRows MakeReferencePoints(size_t objectives, size_t divisions) {
  LossRows references;
  std::vector<double> point(objectives, 0);
  AddReferencePoints(0, divisions, point, references);
  return references;
}

std::vector<size_t> SelectByNiches(LossRows rows, size_t elite, size_t wanted,
                                   const LossRows& references, RandomSource& random) {
  ReplaceInfinite(rows);
  Normalize(rows);
  std::vector<size_t> neighbours(references.size(), 0);
  std::vector<std::vector<std::pair<double, size_t>>> border(references.size());
  std::vector<size_t> met;  // Lines with members in the rank, as they are met.
  for (size_t i = 0; i < rows.size(); ++i) {
    const Nearest nearest = NearestLine(rows[i], references);
    if (i < elite) {
      ++neighbours[nearest.line];
      continue;
    }
    if (border[nearest.line].empty()) met.push_back(nearest.line);
    border[nearest.line].emplace_back(nearest.distance, i - elite);
  }
  std::map<size_t, std::vector<size_t>> lines;  // By how many neighbours they have.
  for (size_t line : met) lines[neighbours[line]].push_back(line);
  std::vector<bool> shuffled(references.size(), false);
  std::vector<size_t> chosen;
  size_t count = 0;
  Shuffle(lines[0], random);
  while (chosen.size() < wanted) {
    if (lines[count].empty()) {
      Shuffle(lines[++count], random);
      continue;
    }
    const size_t line = lines[count].back();
    lines[count].pop_back();
    if (count == 0) {
      std::sort(border[line].rbegin(), border[line].rend());  // The nearest last.
    } else if (!shuffled[line]) {
      Shuffle(border[line], random);
      shuffled[line] = true;
    }
    chosen.push_back(border[line].back().second);
    border[line].pop_back();
    if (!border[line].empty()) lines[count + 1].push_back(line);
  }
  return chosen;
}

}  // namespace vlm::search
