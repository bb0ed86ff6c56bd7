#include "server/search/wilcoxon_pruner.h"

#include <algorithm>
#include <cmath>

#include "server/search/pruner_rules.h"
#include "server/search/signed_rank.h"

namespace vlm::search {
namespace {

using Values = absl::btree_map<int64_t, double>;

bool AllFinite(const Values& values) {
  return std::all_of(values.begin(), values.end(),
                     [](const auto& value) { return std::isfinite(value.second); });
}

double Mean(const Values& values) {
  double sum = 0;
  for (const auto& [step, value] : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

PruneDecision WilcoxonPruner::Judge(const StudyView& study, int64_t number) const {
  const Values& own = TrialOf(study, number).intermediate_values();
  if (study.directions.size() > 1 || own.empty() || !AllFinite(own)) return {};
  const TrialView* best = Reports(study)->Best(*study.trials, Maximizes(study));
  if (best == nullptr || best->intermediate_values().empty()) return {};
  const Values& best_values = best->intermediate_values();
  if (!AllFinite(best_values)) return {};
  std::vector<double> differences;
  for (const auto& [step, value] : own) {
    const auto it = best_values.find(step);
    if (it != best_values.end()) differences.push_back(value - it->second);
  }
  if (static_cast<int64_t>(differences.size()) < std::max<int64_t>(2, config_.n_startup_steps())) {
    return {};
  }
  const bool maximize = Maximizes(study);
  if (SignedRankPValue(differences, !maximize) >= config_.p_threshold()) return {};
  // A trial whose mean so far is no worse than the best one's goes on, whatever its ranks say.
  const double gain = Mean(best_values) - Mean(own);
  const bool as_good = maximize ? gain <= 0 : gain >= 0;
  return {!as_good, {}};
}

}  // namespace vlm::search
