#include "server/search/simple_pruners.h"

#include <cmath>
#include <limits>

#include "server/search/pruner_rules.h"

namespace vlm::search {

PruneDecision ThresholdPruner::Judge(const StudyView& study, int64_t number) const {
  const TrialView& trial = TrialOf(study, number);
  if (study.directions.size() > 1 || trial.intermediate_values().empty()) return {};
  const auto [step, value] = *trial.intermediate_values().rbegin();
  if (step < config_.n_warmup_steps()) return {};
  if (!FirstInInterval(trial.intermediate_values(), step, config_.n_warmup_steps(),
                       config_.interval_steps())) {
    return {};
  }
  const bool out = std::isnan(value) || (config_.has_lower() && value < config_.lower()) ||
                   (config_.has_upper() && value > config_.upper());
  return {out, {}};
}

PruneDecision PatientPruner::Judge(const StudyView& study, int64_t number) const {
  const TrialView& trial = TrialOf(study, number);
  if (study.directions.size() > 1) return {};
  const auto& values = trial.intermediate_values();
  const auto recent = static_cast<size_t>(config_.patience()) + 1;
  if (values.size() <= recent) return {};
  // Signs are turned so that smaller is better. NaN counts for nothing; with nothing but NaN on a
  // side there is no comparison.
  const double sign = Maximizes(study) ? -1 : 1;
  double before = NAN;
  double after = NAN;
  size_t index = 0;
  for (const auto& [step, value] : values) {
    double& best = index++ < values.size() - recent ? before : after;
    if (!std::isnan(value)) best = std::isnan(best) ? sign * value : std::fmin(best, sign * value);
  }
  if (!(before + config_.min_delta() < after)) return {};
  return wrapped_ == nullptr ? PruneDecision{true, {}} : wrapped_->Judge(study, number);
}

}  // namespace vlm::search
