#include "server/search/hyperband_pruner.h"

#include <zlib.h>

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "server/search/pruner_rules.h"

namespace vlm::search {

// The quotient of logarithms in doubles is one short for some exact powers, such as 243 = 3^5.
// Optuna's studies have that many brackets, and so have ours.
std::vector<int64_t> HyperbandPruner::Budgets(int64_t min_resource, int64_t max_resource,
                                              int64_t factor) {
  const double ratio = static_cast<double>(max_resource) / static_cast<double>(min_resource);
  const double levels = std::floor(std::log(ratio) / std::log(static_cast<double>(factor)));
  const auto brackets = static_cast<int64_t>(levels) + 1;
  std::vector<int64_t> budgets;
  for (int64_t bracket = 0; bracket < brackets; ++bracket) {
    const int64_t s = brackets - 1 - bracket;
    double most = static_cast<double>(brackets);
    for (int64_t i = 0; i < s; ++i) most *= static_cast<double>(factor);
    budgets.push_back(static_cast<int64_t>(std::ceil(most / static_cast<double>(s + 1))));
  }
  return budgets;
}

size_t HyperbandPruner::Bracket(const std::vector<int64_t>& budgets, const std::string& study_name,
                                int64_t number) {
  const std::string text = absl::StrCat(study_name, "_", number);
  const uint64_t hash =
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  const int64_t total = std::accumulate(budgets.begin(), budgets.end(), int64_t{0});
  auto rest = static_cast<int64_t>(hash % static_cast<uint64_t>(total));
  size_t bracket = 0;
  while (rest >= budgets[bracket]) rest -= budgets[bracket++];
  return bracket;
}

PruneDecision HyperbandPruner::Judge(const StudyView& study, int64_t number) const {
  const TrialView& trial = TrialOf(study, number);
  if (study.directions.size() > 1 || trial.intermediate_values().empty()) return {};
  Reports reports(study);
  int64_t max_resource = config_.max_resource();
  bool found = false;
  if (!config_.has_max_resource()) {
    max_resource = reports->StoredResource();
    if (max_resource == 0) {
      max_resource = reports->LongestComplete() + 1;
      if (max_resource == 0) return {};
      found = true;
    }
  }
  PruneDecision decision;
  const auto budgets = Budgets(config_.min_resource(), max_resource, config_.reduction_factor());
  if (!budgets.empty()) {
    const auto bracket_of = [budgets, name = study.name](int64_t trial_number) {
      return static_cast<int64_t>(Bracket(budgets, name, trial_number));
    };
    reports->GroupBy(absl::StrCat(max_resource, " ", study.name), bracket_of, *study.trials);
    const int64_t own = bracket_of(number);
    const HalvingRule rule{config_.min_resource(), config_.reduction_factor(), own,
                           config_.bootstrap_count()};
    decision = Halve(rule, study, trial, *reports, own);
  }
  if (found) decision.attributes.emplace_back(kResource, absl::StrCat(max_resource));
  return decision;
}

}  // namespace vlm::search
