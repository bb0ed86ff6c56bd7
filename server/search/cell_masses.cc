#include "server/search/cell_masses.h"

#include <cmath>
#include <limits>

namespace vlm::search {
namespace {

constexpr double kMostCells = 1024;
constexpr size_t kMostKept = 1 << 17;  // Masses, 1 MiB.

}  // namespace

std::pair<double, double> Cell(const KernelRange& range, double value) {
  const double low = value - range.step / 2;
  const double high = value + range.step / 2;
  return range.log ? std::make_pair(std::log(low), std::log(high)) : std::make_pair(low, high);
}

std::vector<double>& CellMassCache::RowOf(double mu, double sigma, size_t cells) {
  std::vector<double>& row = rows_[{mu, sigma}];
  if (row.empty()) row.assign(cells, std::numeric_limits<double>::quiet_NaN());
  return row;
}

bool CellMassCache::Fill(const ParzenAxis& axis, const std::vector<double>& values,
                         std::vector<double>* masses) {
  const KernelRange& range = axis.range();
  const double cells = std::rint((range.high - range.low) / range.step) + 1;
  if (!(cells <= kMostCells)) return false;
  if (rows_.size() * static_cast<size_t>(cells) > kMostKept) rows_.clear();
  std::vector<size_t> places;
  std::vector<std::pair<double, double>> ends;
  for (double value : values) {
    places.push_back(static_cast<size_t>(std::rint((value - range.low) / range.step)));
    ends.push_back(Cell(range, value));
  }
  const size_t pairs = axis.pairs().size();
  masses->resize(values.size() * pairs);
  for (size_t p = 0; p < pairs; ++p) {
    const double mu = axis.mu()[axis.pairs()[p]];
    const double sigma = axis.sigma()[axis.pairs()[p]];
    std::vector<double>& row = RowOf(mu, sigma, static_cast<size_t>(cells));
    for (size_t v = 0; v < values.size(); ++v) {
      double& mass = row[places[v]];
      if (std::isnan(mass)) {
        mass = LogGaussMass((ends[v].first - mu) / sigma, (ends[v].second - mu) / sigma,
                            Erf::kLibrary);
      }
      (*masses)[v * pairs + p] = mass;
    }
  }
  return true;
}

}  // namespace vlm::search
