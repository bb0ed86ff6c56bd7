// The point that promises most, as Optuna looks for it (optuna/_gp/optim_mixed.py): quasi-random
// points, then local searches from the best of them, in turn by gradient over the numbers and by
// trial of all values of an axis that has few. Pure but for the draws.
#pragma once

#include "server/search/gp_acquisition.h"
#include "server/search/random_source.h"

namespace vlm::search::gp {

struct Axis {
  bool category = false;
  // The places that can be taken, if they are few: those of a category are 0, 1, 2, ...; else
  // empty.
  std::vector<double> grid;
};

struct SearchOptions {
  size_t candidates = 2048;
  size_t searches = 10;
  double tolerance = 1e-4;  // Of the logarithm.
};

// `starts`: points from which a search begins besides; one column each, fewer than `searches`.
VectorXd MaximizeAcquisition(const Acquisition& acquisition, const std::vector<Axis>& axes,
                             const Points& starts, const SearchOptions& options,
                             RandomSource& random);

}  // namespace vlm::search::gp
