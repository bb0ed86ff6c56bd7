// Optuna's PercentilePruner and MedianPruner (percentile 50): optuna/pruners/_percentile.py.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

class PercentilePruner final : public Pruner {
 public:
  explicit PercentilePruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  bool ShouldPrune(const StudyView& study, const TrialView& trial) const;

  v1::PrunerConfig config_;
};

}  // namespace vlm::search
