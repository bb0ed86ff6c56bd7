// Our own pruner, the only one for several objectives. Among all trials that reported the trial's
// newest step, sorted into Pareto fronts (Deb et al., NSGA-II, 2002), it ends the trial when as
// many as the best 1/reduction_factor of them stand in a better front. The first front is never
// pruned. With one objective the fronts are ranks, so that trials outside the best
// 1/reduction_factor at their step end.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

class ParetoPruner final : public Pruner {
 public:
  explicit ParetoPruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  bool MayJudge(const StudyView& study, const TrialView& trial, int64_t step) const;

  v1::PrunerConfig config_;
};

// How many of `points` stand in a better Pareto front than points[own]. Smaller is better in every
// coordinate; no coordinate is NaN. By efficient non-dominated sort with binary search (Zhang et
// al., IEEE Trans. Evol. Comput. 19, 2015): O(n log n) for two coordinates.
size_t InBetterFronts(const std::vector<std::vector<double>>& points, size_t own);

}  // namespace vlm::search
