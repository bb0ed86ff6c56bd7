#include <algorithm>
#include <cmath>
#include <limits>

#include "server/search/tpe_sampler.h"

namespace vlm::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The order of pruned trials: later last step first, then the better value there.
std::pair<double, double> PrunedKey(const TrialView& trial, double sign) {
  if (trial.intermediate_values.empty()) return {1, 0};
  const auto& [step, value] = *trial.intermediate_values.rbegin();
  return {-static_cast<double>(step), std::isnan(value) ? kInf : sign * value};
}

}  // namespace

TpeSplit SplitTrials(const StudyView& study, int64_t number, bool constant_liar) {
  const double sign =
      !study.directions.empty() && study.directions[0] == v1::DIRECTION_MAXIMIZE ? -1 : 1;
  std::vector<const TrialView*> complete;
  std::vector<const TrialView*> pruned;
  TpeSplit split;
  for (const TrialView& trial : *study.trials) {
    if (trial.number == number) continue;
    if (trial.state == v1::TRIAL_STATE_COMPLETE && !trial.values.empty()) {
      complete.push_back(&trial);
    } else if (trial.state == v1::TRIAL_STATE_PRUNED) {
      pruned.push_back(&trial);
    } else if (trial.state == v1::TRIAL_STATE_RUNNING && constant_liar) {
      split.above.push_back(trial.number);
    }
  }
  const size_t n = complete.size() + pruned.size();
  size_t good = std::min<size_t>(static_cast<size_t>(std::ceil(0.1 * static_cast<double>(n))), 25);
  std::stable_sort(complete.begin(), complete.end(), [sign](const auto* a, const auto* b) {
    return sign * a->values[0] < sign * b->values[0];
  });
  std::stable_sort(pruned.begin(), pruned.end(), [sign](const auto* a, const auto* b) {
    return PrunedKey(*a, sign) < PrunedKey(*b, sign);
  });
  for (const auto* group : {&complete, &pruned}) {
    for (const TrialView* trial : *group) {
      if (good > 0) {
        split.below.push_back(trial->number);
        --good;
      } else {
        split.above.push_back(trial->number);
      }
    }
  }
  std::sort(split.below.begin(), split.below.end());
  std::sort(split.above.begin(), split.above.end());
  return split;
}

}  // namespace vlm::search
