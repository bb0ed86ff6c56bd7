// From a history to what the next point promises: the models of objectives and constraints.
#pragma once

#include "server/search/gp_acquisition.h"
#include "server/search/gp_history.h"
#include "server/search/random_source.h"

namespace vlm::search::gp {

// Each model's parameters: weights, scale, noise.
using Fitted = std::vector<std::vector<double>>;

// Fits the models, from the parameters of the last fit where they are of the same space, and writes
// the new ones there. Pending trials get hypothetical outcomes from `random`.
Acquisition MakeAcquisition(const History& history, const Categories& categories, Fitted* fitted,
                            RandomSource& random);

// Where local searches begin besides: the best feasible point, or with several objectives up to
// `most` of those that are not dominated.
Points BestPoints(const History& history, size_t most, RandomSource& random);

}  // namespace vlm::search::gp
