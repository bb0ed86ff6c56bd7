// Optuna's WilcoxonPruner: optuna/pruners/_wilcoxon.py. For objectives that are means over cases:
// each step is a case, and the trial ends when a signed-rank test over the cases that it shares
// with the best trial says that it is worse.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

class WilcoxonPruner final : public Pruner {
 public:
  explicit WilcoxonPruner(const v1::PrunerConfig& config) : config_(config) {}
  PruneDecision Judge(const StudyView& study, int64_t number) const override;

 private:
  v1::PrunerConfig config_;
};

}  // namespace vlm::search
