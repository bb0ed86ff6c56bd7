// NSGA-III's choice among trials of one rank: those near reference lines that have few neighbours
// yet (Deb and Jain, 2014; optuna/samplers/_nsgaiii). Pure but for the random source.
#pragma once

#include "server/search/pareto.h"
#include "server/search/random_source.h"

namespace vlm::search {

// Points with whole coordinates that sum up to `divisions`, in lexicographic order of their parts.
LossRows MakeReferencePoints(size_t objectives, size_t divisions);

// `rows` are the objectives of the `elite` trials chosen already and, after them, of the rank that
// is to be cut. Returns `wanted` positions in that rank, in the order of choice. REQUIRES: wanted
// <= rows.size() - elite; `references` have a coordinate for each objective, not all of them 0.
std::vector<size_t> SelectByNiches(LossRows rows, size_t elite, size_t wanted,
                                   const LossRows& references, RandomSource& random);

}  // namespace vlm::search
