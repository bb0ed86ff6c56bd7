// Density of a parameter's values over a grid of its range: the Parzen estimator of PED-ANOVA
// (optuna/importance/_ped_anova/scott_parzen_estimator.py). Pure functions.
#pragma once

#include <vector>

#include "vlm/v1/study.pb.h"

namespace vlm::search {

// Whether the range has one value only.
bool IsSingle(const v1::Distribution& distribution);

// Probability of each cell for values like `internals` (internal form, at least one). Numbers have
// at most 50 cells, spaced in logs for a log range; choices have one each.
std::vector<double> GridDensity(const v1::Distribution& distribution,
                                const std::vector<double>& internals);

}  // namespace vlm::search
