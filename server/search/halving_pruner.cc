#include "server/search/halving_pruner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/search/pruner_rules.h"

namespace vlm::search {
namespace {

// The step at which a rung is judged; the largest int64 when it is beyond every step.
int64_t PromotionStep(const HalvingRule& rule, int64_t rung) {
  int64_t step = rule.min_resource;
  for (int64_t i = 0; i < rule.rate + rung; ++i) {
    if (step > std::numeric_limits<int64_t>::max() / rule.factor) {
      return std::numeric_limits<int64_t>::max();
    }
    step *= rule.factor;
  }
  return step;
}

// Among `others` and itself. The first factor - 1 values have nobody to stop for: only the best of
// them goes on.
bool Promotable(double value, const SortedNumbers& others, int64_t factor, bool maximize) {
  const auto count = static_cast<int64_t>(others.size()) + 1;
  const auto place = static_cast<size_t>(std::max<int64_t>(count / factor - 1, 0));
  return (maximize ? others.CountAbove(value) : others.CountBelow(value)) <= place;
}

}  // namespace

PruneDecision Halve(const HalvingRule& rule, const StudyView& study, const TrialView& trial,
                    const ReportIndex& reports, int64_t group) {
  static const SortedNumbers& nobody = *new SortedNumbers;
  PruneDecision decision;
  const auto [step, value] = *trial.intermediate_values().rbegin();
  for (size_t rung = trial.rungs().size();; ++rung) {
    const int64_t needed = PromotionStep(rule, static_cast<int64_t>(rung));
    if (step < needed) return decision;
    if (std::isnan(value)) {
      decision.prune = true;
      return decision;
    }
    const SortedNumbers* known = reports.AtRung(group, rung);
    const SortedNumbers& others = known == nullptr ? nobody : *known;
    decision.attributes.emplace_back(absl::StrCat(kRungPrefix, rung), JsonNumber(value));
    decision.prune = static_cast<int64_t>(others.size()) < rule.bootstrap_count ||
                     !Promotable(value, others, rule.factor, Maximizes(study));
    if (decision.prune || needed == std::numeric_limits<int64_t>::max()) return decision;
  }
}

PruneDecision HalvingPruner::Judge(const StudyView& study, int64_t number) const {
  const TrialView& trial = TrialOf(study, number);
  if (study.directions.size() > 1 || trial.intermediate_values().empty()) return {};
  HalvingRule rule{config_.min_resource(), config_.reduction_factor(),
                   config_.min_early_stopping_rate(), config_.bootstrap_count()};
  Reports reports(study);
  bool found = false;
  if (!config_.has_min_resource()) {
    rule.min_resource = reports->StoredResource();
    if (rule.min_resource == 0) {
      const int64_t longest = reports->LongestComplete();
      if (longest < 0) return {};
      rule.min_resource = std::max<int64_t>(longest / 100, 1);
      found = true;
    }
  }
  PruneDecision decision = Halve(rule, study, trial, *reports, 0);
  if (found) decision.attributes.emplace_back(kResource, absl::StrCat(rule.min_resource));
  return decision;
}

}  // namespace vlm::search
