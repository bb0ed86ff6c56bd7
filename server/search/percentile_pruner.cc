#include "server/search/percentile_pruner.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vlm::search {
namespace {

// Linear interpolation between the two nearest values, as numpy.nanpercentile.
double Percentile(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double position = percent / 100.0 * static_cast<double>(values.size() - 1);
  const auto index = static_cast<size_t>(std::floor(position));
  if (index + 1 >= values.size()) return values.back();
  const double fraction = position - static_cast<double>(index);
  return values[index] + (values[index + 1] - values[index]) * fraction;
}

}  // namespace

bool PercentilePruner::FirstInInterval(const TrialView& trial, int64_t step) const {
  const int64_t warmup = config_.n_warmup_steps();
  const int64_t interval = std::max<int64_t>(1, config_.interval_steps());
  const int64_t gate = (step - warmup) / interval * interval + warmup;
  int64_t before = -1;
  for (const auto& [other, value] : trial.intermediate_values) {
    if (other != step) before = std::max(before, other);
  }
  return before < gate;
}

bool PercentilePruner::ShouldPrune(const StudyView& study, int64_t number) const {
  if (study.directions.size() > 1) return false;
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  if (trial.intermediate_values.empty()) return false;
  const bool maximize = !study.directions.empty() && study.directions[0] == v1::DIRECTION_MAXIMIZE;
  std::vector<double> others;
  int64_t complete = 0;
  const int64_t step = trial.intermediate_values.rbegin()->first;
  for (const TrialView& other : *study.trials) {
    if (other.state != v1::TRIAL_STATE_COMPLETE) continue;
    ++complete;
    const auto it = other.intermediate_values.find(step);
    if (it != other.intermediate_values.end() && !std::isnan(it->second)) {
      others.push_back(it->second);
    }
  }
  if (complete == 0 || complete < config_.n_startup_trials()) return false;
  if (step < config_.n_warmup_steps() || !FirstInInterval(trial, step)) return false;
  double best = NAN;
  for (const auto& [at, value] : trial.intermediate_values) {
    if (std::isnan(value)) continue;
    if (std::isnan(best) || (maximize ? value > best : value < best)) best = value;
  }
  if (std::isnan(best)) return true;
  if (others.empty() || static_cast<int64_t>(others.size()) < config_.n_min_trials()) return false;
  const double percent = maximize ? 100 - config_.percentile() : config_.percentile();
  const double bar = Percentile(std::move(others), percent);
  return maximize ? best < bar : best > bar;
}

}  // namespace vlm::search
