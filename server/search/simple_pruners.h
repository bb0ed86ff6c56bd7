// Pruners that look at one trial alone: none, threshold, patient (which may ask another).
// Source: optuna/pruners/_threshold.py and _patient.py.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

// Never prunes.
class NopPruner final : public Pruner {
 public:
  PruneDecision Judge(const StudyView&, int64_t) const override { return {}; }
};

// Prunes when the newest value is NaN or outside [lower, upper].
class ThresholdPruner final : public Pruner {
 public:
  explicit ThresholdPruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  v1::PrunerConfig config_;
};

// When the newest patience + 1 values are all worse, by more than min_delta, than the best one
// before them, prunes or leaves it to `wrapped`.
class PatientPruner final : public Pruner {
 public:
  // `wrapped` null: prune.
  PatientPruner(const v1::PrunerConfig& config, std::unique_ptr<Pruner> wrapped)
      : config_(config), wrapped_(std::move(wrapped)) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  v1::PrunerConfig config_;
  std::unique_ptr<Pruner> wrapped_;
};

}  // namespace vlm::search
