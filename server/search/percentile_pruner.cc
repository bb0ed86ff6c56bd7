#include "server/search/percentile_pruner.h"

#include <algorithm>
#include <cmath>

#include "server/search/pruner_rules.h"

namespace vlm::search {
namespace {

// numpy.nanpercentile, method "linear", operation by operation: at the upper end, and for the far
// half of an interval, the distance is taken from above. NaN between infinities, as there.
double Percentile(const SortedNumbers& values, double percent) {
  const double last = static_cast<double>(values.size() - 1);
  const double position = last * (percent / 100.0);
  const double below = position >= last ? last : std::floor(position);
  const double a = values.At(static_cast<size_t>(below));
  const double b = values.At(static_cast<size_t>(std::min(below + 1, last)));
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
  const int64_t step = trial.intermediate_values().rbegin()->first;
  Reports reports(study);
  const int64_t complete = reports->complete();
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
  const ReportIndex::Step* others = reports->AtStep(step);
  if (others == nullptr || others->values.empty()) return false;
  // NaN counts here, although it has no part in the percentile.
  const auto reported = static_cast<int64_t>(others->values.size() + others->nan);
  if (reported < config_.n_min_trials()) return false;
  const double percent = maximize ? 100 - config_.percentile() : config_.percentile();
  const double bar = Percentile(others->values, percent);
  return maximize ? best < bar : best > bar;
}

}  // namespace vlm::search
