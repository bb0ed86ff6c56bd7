#include "server/search/percentile_pruner.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "server/search/pruner_rules.h"

namespace vlm::search {
namespace {

// numpy.nanpercentile, method "linear", operation by operation: at the upper end, and for the far
// half of an interval, the distance is taken from above. NaN between infinities, as there.
double Percentile(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double last = static_cast<double>(values.size() - 1);
  const double position = last * (percent / 100.0);
  const double below = position >= last ? last : std::floor(position);
  const double a = values[static_cast<size_t>(below)];
  const double b = values[static_cast<size_t>(std::min(below + 1, last))];
  const double t = position - below;
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

}  // namespace

PruneDecision PercentilePruner::Judge(const StudyView& study, int64_t number) const {
  if (study.directions.size() > 1) return {};
  return {ShouldPrune(study, TrialOf(study, number)), {}};
}

bool PercentilePruner::ShouldPrune(const StudyView& study, const TrialView& trial) const {
  if (trial.intermediate_values().empty()) return false;
  const bool maximize = Maximizes(study);
  std::vector<double> others;
  int64_t complete = 0;
  int64_t reported = 0;  // NaN counts here, although it has no part in the percentile.
  const int64_t step = trial.intermediate_values().rbegin()->first;
  for (const TrialView& other : *study.trials) {
    if (other.state() != v1::TRIAL_STATE_COMPLETE) continue;
    ++complete;
    const auto it = other.intermediate_values().find(step);
    if (it == other.intermediate_values().end()) continue;
    ++reported;
    if (!std::isnan(it->second)) others.push_back(it->second);
  }
  if (complete == 0 || complete < config_.n_startup_trials()) return false;
  if (step < config_.n_warmup_steps()) return false;
  if (!FirstInInterval(trial.intermediate_values(), step, config_.n_warmup_steps(),
                       config_.interval_steps())) {
    return false;
  }
  double best = NAN;
  for (const auto& [at, value] : trial.intermediate_values()) {
    if (std::isnan(value)) continue;
    if (std::isnan(best) || (maximize ? value > best : value < best)) best = value;
  }
  if (std::isnan(best)) return true;
  if (others.empty() || reported < config_.n_min_trials()) return false;
  const double percent = maximize ? 100 - config_.percentile() : config_.percentile();
  const double bar = Percentile(std::move(others), percent);
  return maximize ? best < bar : best > bar;
}

}  // namespace vlm::search
