// Optuna's HyperbandPruner: optuna/pruners/_hyperband.py, after Li et al., "Hyperband" (JMLR 18,
// 2018), algorithm 1, with successive halving for the trials of each bracket. A trial's bracket is
// a checksum of the study's name and its number, so that every process agrees on it.
#pragma once

#include "server/search/halving_pruner.h"

namespace vlm::search {

class HyperbandPruner final : public Pruner {
 public:
  explicit HyperbandPruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

  // Share of trials that each bracket gets; empty when max_resource is below min_resource.
  static std::vector<int64_t> Budgets(int64_t min_resource, int64_t max_resource, int64_t factor);
  // REQUIRES: budgets is not empty.
  static size_t Bracket(const std::vector<int64_t>& budgets, const std::string& study_name,
                        int64_t number);

 private:
  v1::PrunerConfig config_;
};

}  // namespace vlm::search
