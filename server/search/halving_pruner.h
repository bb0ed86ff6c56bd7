// Optuna's SuccessiveHalvingPruner: optuna/pruners/_successive_halving.py, after ASHA (Li et al.,
// "A System for Massively Parallel Hyperparameter Tuning", 2018, algorithm 2, without pausing).
// A trial that reaches rung k has reported at step min_resource * factor^(rate + k); it goes on
// when it is among the best 1/factor of all values that trials of any state left at that rung.
#pragma once

#include "server/search/pruner.h"
#include "server/search/report_index.h"

namespace vlm::search {

struct HalvingRule {
  int64_t min_resource = 1;  // Steps; at least 1.
  int64_t factor = 4;        // At least 2.
  int64_t rate = 0;
  int64_t bootstrap_count = 0;
};

// One decision of the rule among the trials of a group. REQUIRES: one objective.
PruneDecision Halve(const HalvingRule& rule, const StudyView& study, const TrialView& trial,
                    const ReportIndex& reports, int64_t group);

class HalvingPruner final : public Pruner {
 public:
  explicit HalvingPruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  v1::PrunerConfig config_;
};

}  // namespace vlm::search
