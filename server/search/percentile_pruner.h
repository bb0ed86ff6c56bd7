// Optuna's PercentilePruner and MedianPruner (percentile 50): optuna/pruners/_percentile.py.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

class PercentilePruner final : public Pruner {
 public:
  explicit PercentilePruner(const v1::PrunerConfig& config) : config_(config) {}
  bool ShouldPrune(const StudyView& study, int64_t number) const override;

 private:
  bool FirstInInterval(const TrialView& trial, int64_t step) const;
  v1::PrunerConfig config_;
};

// Never prunes.
class NopPruner final : public Pruner {
 public:
  bool ShouldPrune(const StudyView&, int64_t) const override { return false; }
};

}  // namespace vlm::search
