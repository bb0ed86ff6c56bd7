#include "server/search/grid_density.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace vlm::search {
namespace {

constexpr double kMostCells = 50;
constexpr double kPriorWeight = 1;
constexpr double kSqrt2 = 1.41421356237309504880;

// A numeric range as equal cells between two bounds, in logs if `log`.
struct Cells {
  double low = 0;
  double high = 0;
  bool log = false;
  double count = kMostCells;
};

Cells CellsOf(const v1::Distribution& distribution) {
  Cells cells;
  double step = 0;
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    cells.low = static_cast<double>(d.low());
    cells.high = static_cast<double>(d.high());
    cells.log = d.log();
    step = static_cast<double>(std::max<int64_t>(1, d.step()));
    if (d.log()) {
      const double size = std::ceil(std::log(cells.high - cells.low + 1) / std::log(2.0)) + 1;
      cells.count = std::min(size, kMostCells);
    }
  } else {
    const auto& d = distribution.float_distribution();
    cells.low = d.low();
    cells.high = d.high();
    cells.log = d.log();
    step = d.has_step() ? d.step() : 0;
  }
  if (!cells.log && step > 0) {
    cells.count = std::min(std::rint((cells.high - cells.low) / step) + 1, kMostCells);
  }
  if (cells.log) {
    cells.low = std::log(cells.low);
    cells.high = std::log(cells.high);
  }
  return cells;
}

std::vector<double> CountInCells(const Cells& cells, const std::vector<double>& internals) {
  std::vector<double> counts(static_cast<size_t>(cells.count), 0);
  const double width = (cells.high - cells.low) / (cells.count - 1);
  for (double value : internals) {
    const double x = cells.log ? std::log(value) : value;
    // A value in the middle between two cells belongs to the lower one.
    const double cell = std::ceil((x - cells.low) / width - 0.5);
    ++counts[static_cast<size_t>(std::clamp(cell, 0.0, cells.count - 1))];
  }
  return counts;
}

// Mass of a standard normal between a <= b, from the tail that keeps the digits.
double GaussMass(double a, double b) {
  if (a > 0) return GaussMass(-b, -a);
  if (b <= 0) return 0.5 * (std::erfc(-b / kSqrt2) - std::erfc(-a / kSqrt2));
  return 0.5 * (std::erf(b / kSqrt2) - std::erf(a / kSqrt2));
}

// Scott's rule for cells that hold `weights` values, not wider than the quartiles suggest.
double Bandwidth(const std::vector<double>& at, const std::vector<double>& weights) {
  double total = 0;
  double mean = 0;
  std::vector<double> cumulated;
  for (size_t i = 0; i < at.size(); ++i) {
    total += weights[i];
    mean += at[i] * weights[i];
    cumulated.push_back(total);
  }
  mean /= total;
  double squares = 0;
  for (size_t i = 0; i < at.size(); ++i) squares += (at[i] - mean) * (at[i] - mean) * weights[i];
  const double deviation = std::sqrt(squares / std::max(1.0, total - 1));
  const auto q1 = std::lower_bound(cumulated.begin(), cumulated.end(), std::floor(total / 4));
  const auto q3 = std::upper_bound(cumulated.begin(), cumulated.end(), std::floor(total * 3 / 4));
  const size_t upper = std::min(at.size() - 1, static_cast<size_t>(q3 - cumulated.begin()));
  const double range = at[upper] - at[static_cast<size_t>(q1 - cumulated.begin())];
  const double scott = 1.059 * std::min(range / 1.34, deviation) * std::pow(total, -0.2);
  return std::max(scott, 0.5 / 1.64);  // 90 % of a kernel in its cell at least.
}

std::vector<double> NumericDensity(const std::vector<double>& counts) {
  std::vector<double> at;
  std::vector<double> weights;
  double total = kPriorWeight;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    at.push_back(static_cast<double>(i));
    weights.push_back(counts[i]);
    total += counts[i];
  }
  const double last = static_cast<double>(counts.size()) - 1;
  const double sigma = Bandwidth(at, weights);
  at.push_back(last / 2);  // The prior, as wide as the grid.
  weights.push_back(kPriorWeight);
  std::vector<double> density(counts.size(), 0);
  for (size_t k = 0; k < at.size(); ++k) {
    const double width = k + 1 == at.size() ? last + 1 : sigma;
    const double inside = GaussMass((-0.5 - at[k]) / width, (last + 0.5 - at[k]) / width);
    for (size_t i = 0; i < density.size(); ++i) {
      const double cell = static_cast<double>(i) - at[k];
      const double mass = GaussMass((cell - 0.5) / width, (cell + 0.5) / width);
      density[i] += weights[k] / total * mass / inside;
    }
  }
  return density;
}

// Each seen choice is a kernel with a bit of every other; the prior is uniform.
std::vector<double> ChoiceDensity(const std::vector<double>& counts) {
  const auto choices = static_cast<double>(counts.size());
  const auto seen = static_cast<double>(
      std::count_if(counts.begin(), counts.end(), [](double count) { return count > 0; }));
  double total = kPriorWeight;
  for (double count : counts) total += count;
  const double share = kPriorWeight / (seen + 1);
  const double row = 1 + share * choices;
  std::vector<double> density(counts.size(), kPriorWeight / total / choices);
  for (size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    for (size_t i = 0; i < counts.size(); ++i) {
      density[i] += counts[k] / total * (share + (i == k ? 1 : 0)) / row;
    }
  }
  return density;
}

}  // namespace

bool IsSingle(const v1::Distribution& distribution) {
  if (distribution.has_categorical_distribution()) {
    return distribution.categorical_distribution().choices_size() == 1;
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    return d.low() == d.high() || (!d.log() && d.high() - d.low() < std::max<int64_t>(1, d.step()));
  }
  const auto& d = distribution.float_distribution();
  return d.low() == d.high() || (d.has_step() && d.high() - d.low() < d.step());
}

std::vector<double> GridDensity(const v1::Distribution& distribution,
                                const std::vector<double>& internals) {
  if (!distribution.has_categorical_distribution()) {
    return NumericDensity(CountInCells(CellsOf(distribution), internals));
  }
  const int choices = distribution.categorical_distribution().choices_size();
  std::vector<double> counts(static_cast<size_t>(choices), 0);
  for (double index : internals) ++counts[static_cast<size_t>(index)];
  return ChoiceDensity(counts);
}

}  // namespace vlm::search
