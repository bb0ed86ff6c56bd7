// What a trial is worth where the study names its metrics: objectives and constraints out of the
// points that the trainer reports.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

// The followed metrics' last points, so that a restarted coordinator knows them.
constexpr char kLastPoints[] = "vlm:last_points";

}  // namespace

// Metrics whose last points count, without the loss that validations bring.
std::vector<std::string> Core::FollowedMetrics(const v1::StudySpec& spec) {
  std::vector<std::string> names(spec.metrics().begin(), spec.metrics().end());
  for (const v1::MetricConstraint& constraint : spec.constraints()) {
    if (std::find(names.begin(), names.end(), constraint.metric()) == names.end()) {
      names.push_back(constraint.metric());
    }
  }
  return names;
}

std::optional<double> Core::LastPoint(const StudyRecord& study, const TrialRecord& trial,
                                      const std::string& metric) {
  if (const auto it = trial.trial.last_points().find(metric);
      it != trial.trial.last_points().end()) {
    return it->second;
  }
  const auto stored = trial.trial.system_attributes().find(kLastPoints);
  if (stored == trial.trial.system_attributes().end()) return std::nullopt;
  const std::vector<std::string> names = FollowedMetrics(study.spec);
  const auto index = std::find(names.begin(), names.end(), metric) - names.begin();
  std::vector<double> values;
  if (!search::ParseJsonNumbers(stored->second, &values)) return std::nullopt;
  if (values.size() <= static_cast<size_t>(index)) return std::nullopt;
  const double value = values[static_cast<size_t>(index)];
  if (std::isnan(value)) return std::nullopt;
  return value;
}

void Core::StoreLastPoints(const StudyRecord& study, TrialRecord& trial) {
  const std::vector<std::string> names = FollowedMetrics(study.spec);
  if (names.empty()) return;
  std::vector<double> values;
  for (const std::string& name : names) {
    values.push_back(LastPoint(study, trial, name).value_or(NAN));
  }
  const std::string json = search::JsonNumbers(values);
  const auto known = trial.trial.system_attributes().find(kLastPoints);
  if (known != trial.trial.system_attributes().end() && known->second == json) return;
  StoreAttribute(trial, kLastPoints, json);
}

// In the order of the objectives; NaN for what has not been reported.
std::vector<double> Core::ObjectiveValues(const StudyRecord& study, const TrialRecord& trial,
                                          double loss) {
  std::vector<double> values;
  for (const std::string& metric : study.spec.metrics()) {
    values.push_back(metric == study.spec.train().metric()
                         ? loss
                         : LastPoint(study, trial, metric).value_or(NAN));
  }
  return values;
}

// `values` are the trainer's own. FAILED_PRECONDITION names what it never reported.
absl::StatusOr<std::vector<double>> Core::FinalValues(const StudyRecord& study,
                                                      const TrialRecord& trial,
                                                      std::vector<double> values) const {
  if (study.spec.metrics().empty()) return values;
  for (const std::string& metric : study.spec.metrics()) {
    if (metric == study.spec.train().metric() || LastPoint(study, trial, metric)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("it ended without a point of its objective ", metric));
  }
  return ObjectiveValues(study, trial, values.empty() ? NAN : values[0]);
}

// As of a report: the first values of a step stay. Optuna has no place for several values of a
// step, so that they are a system attribute each.
void Core::AddObjectives(TrialRecord& trial, int64_t step, const std::vector<double>& values) {
  if (step < 0) return;
  if (values.size() == 1) {
    AddIntermediate(trial, step, values[0]);
    return;
  }
  const std::string key = absl::StrCat(search::kVectorPrefix, step);
  if (trial.trial.system_attributes().contains(key)) return;
  StoreAttribute(trial, key, search::JsonNumbers(values));
}

// By how far each bound is missed. A metric without a point says nothing; one that is NaN breaks
// its bounds.
void Core::StoreConstraints(const StudyRecord& study, TrialRecord& trial) {
  std::vector<std::optional<double>> violations;
  for (const v1::MetricConstraint& constraint : study.spec.constraints()) {
    const std::optional<double> value = LastPoint(study, trial, constraint.metric());
    if (!value) {
      violations.push_back(std::nullopt);
      continue;
    }
    double excess = -INFINITY;
    if (constraint.has_upper()) excess = std::max(excess, *value - constraint.upper());
    if (constraint.has_lower()) excess = std::max(excess, constraint.lower() - *value);
    if (std::isnan(*value)) excess = INFINITY;
    violations.push_back(excess);
  }
  StoreViolations(study, trial, violations);
}

// In both forms that Optuna and its dashboard read: a number by the name of each constraint, and a
// list of all if none is missing. Of a study without constraints of ours only the list.
void Core::StoreViolations(const StudyRecord& study, TrialRecord& trial,
                           const std::vector<std::optional<double>>& violations) {
  std::vector<double> list;
  for (size_t i = 0; i < violations.size(); ++i) {
    if (!violations[i]) continue;
    const auto index = static_cast<int>(i);
    if (index < study.spec.constraints_size()) {
      StoreAttribute(trial, absl::StrCat("constraints:", study.spec.constraints(index).name()),
                     search::JsonNumber(*violations[i]));
    }
    list.push_back(*violations[i]);
  }
  if (!list.empty() && list.size() == violations.size()) {
    StoreAttribute(trial, "constraints", search::JsonNumbers(list));
  }
}

// Of an asked trial, by the program that trained it.
absl::Status Core::CheckConstraints(const StudyRecord& study, const v1::TellRequest& request) {
  const auto& told = request.constraints();
  for (int i = 0; i < told.size(); ++i) {
    if (std::isfinite(told[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "constraint ", i, " is ", told[i],
        "; tell by how much it is violated as a finite number, 0 or less if it holds"));
  }
  const auto& wanted = study.spec.constraints();
  const bool may_lack = told.empty() && request.state() != v1::TRIAL_STATE_COMPLETE;
  if (wanted.empty() || may_lack || told.size() == wanted.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the study has ", wanted.size(), " constraints (",
                   absl::StrJoin(wanted, ", ",
                                 [](std::string* out, const v1::MetricConstraint& constraint) {
                                   out->append(constraint.name());
                                 }),
                   "), the call ", told.size(), " values for them"));
}

}  // namespace vlm::core
