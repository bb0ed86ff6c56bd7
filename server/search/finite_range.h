// The values of a range that has only so many. Pure.
#pragma once

#include "server/search/sampler.h"

namespace vlm::search {

// Ascending internal values: choices by index, whole numbers, a stepped float's as Optuna counts
// them (low, low + step, ... in decimal). FAILED_PRECONDITION: a float without a step has no end of
// them.
absl::StatusOr<std::vector<double>> FiniteValues(const std::string& name,
                                                 const v1::Distribution& distribution);

}  // namespace vlm::search
