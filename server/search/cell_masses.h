// log masses that kernels have in the cells of a stepped range, kept from one suggestion to the
// next: means stand on few places and bandwidths are mostly the least one, so that the same pairs
// come again and again. Not thread-safe.
#pragma once

#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/search/parzen_axis.h"

namespace vlm::search {

// The interval of a stepped name that a value stands for, in the kernels' scale.
std::pair<double, double> Cell(const KernelRange& range, double value);

class CellMassCache {
 public:
  // Fills `masses` with a row a value and a column a kernel of axis.pairs(). False: the range has
  // too many cells to be kept, nothing was done. `values` are in the range.
  bool Fill(const ParzenAxis& axis, const std::vector<double>& values, std::vector<double>* masses);

 private:
  // Masses by cell, NaN where nobody has asked yet.
  std::vector<double>& RowOf(double mu, double sigma, size_t cells);

  absl::flat_hash_map<std::pair<double, double>, std::vector<double>> rows_;
};

}  // namespace vlm::search
