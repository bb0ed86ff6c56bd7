// Ranks of a population as Optuna's genetic samplers make them (optuna/samplers/nsgaii). Pure.
#pragma once

#include "server/search/sampler.h"

namespace vlm::search {

using Population = std::vector<const TrialView*>;

// By non-domination; those that violate constraints come after all others, by how much.
// REQUIRES: COMPLETE trials with a value for each direction.
std::vector<Population> RankPopulation(const Population& trials,
                                       const std::vector<v1::Direction>& directions);
// Less crowded ones first.
void SortByCrowding(Population& trials);
// Whether `a` is better. With `constrained` a feasible trial, or a smaller violation, is.
bool Dominates(const TrialView& a, const TrialView& b, const std::vector<v1::Direction>& directions,
               bool constrained);

}  // namespace vlm::search
