// What finished trials say about the space: the names they all share, and the groups of names that
// always come together (optuna/search_space). Not thread-safe.
#pragma once

#include <set>

#include "absl/container/btree_map.h"
#include "server/search/sampler.h"

namespace vlm::search {

// A range with one value is never sampled.
bool SingleValued(const v1::Distribution& distribution);
double SingleValue(const v1::Distribution& distribution);
bool SameDistribution(const v1::Distribution& a, const v1::Distribution& b);

class SpaceTracker {
 public:
  // Pruned trials count as finished with `include_pruned`; groups are followed with `groups`.
  SpaceTracker(bool include_pruned, bool groups)
      : include_pruned_(include_pruned), follow_groups_(groups) {}

  void Observe(const TrialView& trial);
  // Names that every finished trial drew from an equal range, sorted, without single-valued ones.
  Space Intersection() const;
  // Disjoint groups, each sorted and without single-valued names, in Optuna's order. Finished
  // trials that came since the last call are taken in by number.
  std::vector<Space> Groups(const StudyView& study);

 private:
  using Distributions = absl::btree_map<std::string, v1::Distribution>;

  const bool include_pruned_;
  const bool follow_groups_;
  bool any_ = false;
  Distributions shared_;
  std::vector<bool> seen_;   // By number.
  std::set<int64_t> fresh_;  // Seen, but not in groups_ yet.
  std::vector<Distributions> groups_;
};

}  // namespace vlm::search
