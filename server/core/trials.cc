// The life of trials, and what people and outside programs do with them.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_json.h"
#include "server/core/optuna_view.h"

namespace vlm::core {
// For a study of another program: its own loop takes the values, whatever they are.
absl::StatusOr<v1::Trial> Core::FreeTrial(
    const google::protobuf::Map<std::string, v1::ParamValue>& given) {
  v1::Trial trial;
  for (const auto& [name, value] :
       std::map<std::string, v1::ParamValue>(given.begin(), given.end())) {
    RETURN_IF_ERROR(CheckLength("parameter", name));
    if (value.kind_case() == v1::ParamValue::KIND_NOT_SET) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": has no value"));
    }
    RETURN_IF_ERROR(Annotate(CheckJson(ValueJson(value)), name));
    v1::Param& param = *trial.add_params();
    param.set_name(name);
    *param.mutable_value() = value;
  }
  (*trial.mutable_system_attributes())[kFixedParams] = FixedParamsJson(trial);
  trial.clear_params();
  trial.set_state(v1::TRIAL_STATE_WAITING);
  trial.set_last_step(-1);
  trial.set_external(true);
  return trial;
}

TrialRecord& Core::NewTrial(StudyRecord& study, v1::TrialState state,
                            std::vector<v1::Param> params) {
  v1::Trial trial;
  trial.set_state(state);
  trial.set_last_step(-1);
  for (v1::Param& param : params) *trial.add_params() = std::move(param);
  if (state == v1::TRIAL_STATE_WAITING) {
    (*trial.mutable_system_attributes())[kFixedParams] = FixedParamsJson(trial);
  } else {
    *trial.mutable_start_time() = ToProto(now_.wall);
  }
  return AddTrial(study, std::move(trial));
}

// The study's next number and the next id are its own, whatever `trial` says.
TrialRecord& Core::AddTrial(StudyRecord& study, v1::Trial trial) {
  trial.set_trial_id(++state_.last_trial_id);
  trial.set_study_id(study.study.study_id());
  trial.set_number(static_cast<int64_t>(study.trial_ids.size()));
  if (trial.state() == v1::TRIAL_STATE_WAITING) study.waiting.push_back(trial.number());
  study.trial_ids.push_back(trial.trial_id());
  TrialRecord& kept = state_.trials.Add(std::move(trial));
  Touch(kept);
  for (const v1::IntermediateValue& value : kept.trial.intermediate_values()) {
    out_->batch.push_back(PutIntermediateValue{kept.trial.trial_id(), value.step(), value.value()});
  }
  return kept;
}

// A WAITING trial gets its remaining values and runs.
void Core::StartTrial(StudyRecord& study, TrialRecord& trial, std::vector<v1::Param> params) {
  trial.trial.clear_params();
  for (v1::Param& param : params) *trial.trial.add_params() = std::move(param);
  trial.trial.set_state(v1::TRIAL_STATE_RUNNING);
  *trial.trial.mutable_start_time() = ToProto(now_.wall);
  std::erase(study.waiting, trial.trial.number());
  Touch(trial);
}

void Core::EndTrial(TrialRecord& trial, v1::TrialState state, std::vector<double> values,
                    const std::string& reason) {
  StudyRecord& study = StudyOf(trial);
  trial.trial.set_state(state);
  trial.trial.set_reason(reason);
  if (state != v1::TRIAL_STATE_FAIL) StoreConstraints(study, trial);
  trial.trial.clear_values();
  for (double value : values) trial.trial.add_values(value);
  *trial.trial.mutable_end_time() = ToProto(now_.wall);
  std::erase(study.requeued, trial.trial.trial_id());
  std::erase(study.waiting, trial.trial.number());
  Put(trial, trial.trial.external());
  RefreshView(study, trial, true);
  const double best_before = study.study.has_best_value() ? study.study.best_value() : NAN;
  UpdateBest(study, trial);
  const char* kind = state == v1::TRIAL_STATE_COMPLETE ? "trial.completed"
                     : state == v1::TRIAL_STATE_PRUNED ? "trial.pruned"
                                                       : "trial.failed";
  Emit(kind,
       absl::StrCat("trial ", NameOf(study, trial), " is ", ShortName(state),
                    reason.empty() ? "" : ": ", reason),
       &study, &trial);
  if (study.study.has_best_value() && study.study.best_value() != best_before) {
    Emit("study.best",
         absl::StrCat("best value of ", study.study.name(), " is now ", study.study.best_value()),
         &study, nullptr);
  }
  out_->effects.push_back(PublishLog{trial.trial.trial_id(), {}, true});
  if (state == v1::TRIAL_STATE_FAIL) HaltIfAllFailAlike(study);
}

void Core::UpdateBest(StudyRecord& study, const TrialRecord& trial) {
  UpdateBest(study, study.views[static_cast<size_t>(trial.trial.number())]);
}

// As in Optuna the best one violates no constraint, and of equal ones it is the first.
void Core::UpdateBest(StudyRecord& study, const search::TrialView& trial) {
  v1::Study& s = study.study;
  if (s.directions_size() > 1) return;
  const bool counts =
      trial.state() == v1::TRIAL_STATE_COMPLETE && trial.values().size() == 1 && trial.feasible();
  const double value = counts ? trial.values()[0] : NAN;
  if (s.has_best_value() && s.best_trial_number() == trial.number() && value != s.best_value()) {
    // Another program has changed the best one.
    s.clear_best_value();
    for (const search::TrialView& other : study.views) UpdateBest(study, other);
    return;
  }
  if (!counts) return;
  const bool maximize = s.directions_size() > 0 && s.directions(0) == v1::DIRECTION_MAXIMIZE;
  const bool better = !s.has_best_value() ||
                      (maximize ? value > s.best_value() : value < s.best_value()) ||
                      (value == s.best_value() && trial.number() < s.best_trial_number());
  if (!better) return;
  s.set_best_value(value);
  s.set_best_trial_number(trial.number());
}

// When the first k trials have all failed in the same way, more of them would too.
void Core::HaltIfAllFailAlike(StudyRecord& study) {
  const int k = study.spec.retry().halt_after();
  if (study.study.state() != v1::STUDY_STATE_ACTIVE || k <= 0) return;
  v1::FailureClass common = v1::FAILURE_CLASS_UNSPECIFIED;
  std::string reason;
  TrialRecord scratch;
  int i = 0;
  for (const int64_t id : study.trial_ids) {
    const TrialRecord& trial = state_.trials.Look(id, &scratch);
    if (trial.trial.system_attributes().contains(kSeededFrom)) continue;
    if (trial.trial.state() != v1::TRIAL_STATE_FAIL || trial.attempt_ids.empty()) return;
    const v1::Attempt& last = state_.attempts.at(trial.attempt_ids.back())->attempt;
    if (last.state() != v1::ATTEMPT_STATE_FAILED && last.state() != v1::ATTEMPT_STATE_LOST) return;
    if (i > 0 && last.failure_class() != common) return;
    common = last.failure_class();
    reason = trial.trial.reason();
    if (++i == k) break;
  }
  if (i < k) return;
  CancelStudy(
      study, v1::STUDY_STATE_FAILED,
      absl::StrCat("its first ", k, " trials all failed with ", ShortName(common), ": ", reason));
}

// True when the value is new. A step's first value stays, as in Optuna; the values are kept by step
// (an attempt that goes on from a checkpoint reports earlier steps again).
bool Core::AddIntermediate(TrialRecord& trial, int64_t step, double value) {
  auto& values = *trial.trial.mutable_intermediate_values();
  const auto at = std::lower_bound(values.begin(), values.end(), step,
                                   [](const auto& known, int64_t s) { return known.step() < s; });
  if (at != values.end() && at->step() == step) return false;
  const auto index = static_cast<int>(at - values.begin());
  v1::IntermediateValue* added = values.Add();
  added->set_step(step);
  added->set_value(value);
  for (int i = values.size() - 1; i > index; --i) values.SwapElements(i, i - 1);
  out_->batch.push_back(PutIntermediateValue{trial.trial.trial_id(), step, value});
  return true;
}

// The values that a person fixed, in the order of the space. INVALID_ARGUMENT: a name that is not
// in it, a value out of range, or a parameter that the other values leave unused.
absl::StatusOr<std::vector<v1::Param>> Core::FixedParamsOf(
    const v1::StudySpec& spec, const google::protobuf::Map<std::string, v1::ParamValue>& given) {
  std::vector<v1::Param> params;
  for (const v1::SearchParam& space : spec.search_space()) {
    const auto found = given.find(space.name());
    if (found == given.end()) continue;
    const bool free_parent = std::any_of(
        space.when().begin(), space.when().end(),
        [&](const v1::Condition& condition) { return !given.contains(condition.name()); });
    if (!free_parent && !search::ConditionsHold(space, params)) {
      return absl::InvalidArgumentError(absl::StrCat(
          space.name(), ": is not used with the other values (its `when` does not hold)"));
    }
    auto internal = search::ToInternal(space.distribution(), found->second);
    if (!internal.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(space.name(), ": ", internal.status().message()));
    }
    v1::Param& param = params.emplace_back();
    param.set_name(space.name());
    *param.mutable_value() = found->second;
    *param.mutable_distribution() = space.distribution();
  }
  for (const auto& [name, value] : given) {
    const std::string& wanted = name;
    if (std::none_of(params.begin(), params.end(),
                     [&](const v1::Param& param) { return param.name() == wanted; })) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, "\" is not in the study's search space"));
    }
  }
  return params;
}

Core::Result Core::EnqueueTrial(const v1::EnqueueTrialRequest& request) {
  auto found = FindStudy(request.study());
  if (!found.ok()) return found.status();
  StudyRecord& study = **found;
  if (IsEnd(study.study.state())) {
    return absl::FailedPreconditionError(
        absl::StrCat("study \"", study.study.name(), "\" is ", ShortName(study.study.state())));
  }
  TrialRecord* trial = nullptr;
  if (study.spec.has_train()) {
    ASSIGN_OR_RETURN(auto params, FixedParamsOf(study.spec, request.params()));
    trial = &NewTrial(study, v1::TRIAL_STATE_WAITING, std::move(params));
  } else {
    ASSIGN_OR_RETURN(v1::Trial free, FreeTrial(request.params()));
    trial = &AddTrial(study, std::move(free));
  }
  Emit("trial.enqueued", absl::StrCat("trial ", NameOf(study, *trial), " waits"), &study, trial);
  auto response = std::make_shared<v1::EnqueueTrialResponse>();
  *response->mutable_trial() = View(*trial, false);
  return response;
}

Core::Result Core::StopTrial(const v1::StopTrialRequest& request) {
  auto found = FindTrial(request.trial());
  if (!found.ok()) return found.status();
  TrialRecord& trial = **found;
  if (IsEnd(trial.trial.state())) {
    return absl::FailedPreconditionError(absl::StrCat("trial ", NameOf(StudyOf(trial), trial),
                                                      " is ", ShortName(trial.trial.state()),
                                                      " already"));
  }
  StopOne(trial, "stopped");
  auto response = std::make_shared<v1::StopTrialResponse>();
  *response->mutable_trial() = View(trial, false);
  return response;
}

// A trial that trains is told to end at its next step; any other ends here and now.
void Core::StopOne(TrialRecord& trial, const std::string& reason) {
  if (trial.live_attempt == 0) return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, reason);
  AttemptRecord& attempt = *state_.attempts.at(trial.live_attempt);
  if (attempt.attempt.state() < v1::ATTEMPT_STATE_RENDEZVOUS) {
    return EndAttempt(attempt, v1::ATTEMPT_STATE_STOPPED, v1::FAILURE_CLASS_UNSPECIFIED, reason);
  }
  Command(attempt, v1::Command::ACTION_STOP, reason);
}

Core::Result Core::RetryTrial(const v1::RetryTrialRequest& request) {
  auto found = FindTrial(request.trial());
  if (!found.ok()) return found.status();
  TrialRecord& old = **found;
  StudyRecord& study = StudyOf(old);
  if (!IsEnd(old.trial.state())) {
    return absl::FailedPreconditionError(absl::StrCat("trial ", NameOf(study, old), " is ",
                                                      ShortName(old.trial.state()),
                                                      "; only an ended trial can be run again"));
  }
  if (study.study.state() == v1::STUDY_STATE_CANCELLED) {
    return absl::FailedPreconditionError("the study was cancelled");
  }
  // The copy does not eat into the budget of the search.
  study.study.set_n_trials(study.study.n_trials() + 1);
  std::vector<v1::Param> params(old.trial.params().begin(), old.trial.params().end());
  const int64_t old_number = old.trial.number();
  TrialRecord& trial = NewTrial(study, v1::TRIAL_STATE_WAITING, std::move(params));
  (*trial.trial.mutable_system_attributes())["vlm:retry_of"] = absl::StrCat(old_number);
  Touch(trial);
  if (IsEnd(study.study.state())) {
    SetStudyState(study, v1::STUDY_STATE_ACTIVE, "");
  } else {
    Put(study);
  }
  Emit("trial.enqueued",
       absl::StrCat("trial ", NameOf(study, trial), " repeats number ", old_number), &study,
       &trial);
  auto response = std::make_shared<v1::RetryTrialResponse>();
  *response->mutable_trial() = View(trial, false);
  return response;
}

// As in Optuna the value of a pruned trial is its last intermediate value.
std::vector<double> Core::LastValue(const TrialRecord& trial) {
  if (trial.trial.intermediate_values().empty()) return {};
  const double value = trial.trial.intermediate_values().rbegin()->value();
  if (std::isnan(value)) return {};
  return {value};
}

absl::StatusOr<TrialRecord*> Core::ExternalTrial(const std::string& text) {
  auto found = FindTrial(text);
  if (!found.ok()) return found.status();
  TrialRecord& trial = **found;
  if (!trial.trial.external()) {
    return absl::FailedPreconditionError(
        absl::StrCat("trial ", text, " is trained by a worker; only asked trials are told"));
  }
  if (trial.trial.state() != v1::TRIAL_STATE_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("trial ", text, " is ", ShortName(trial.trial.state())));
  }
  return &trial;
}

Core::Result Core::Tell(const v1::TellRequest& request) {
  auto found = ExternalTrial(request.trial());
  if (!found.ok()) return found.status();
  TrialRecord& trial = **found;
  if (!IsEnd(request.state())) {
    return absl::InvalidArgumentError("state must be COMPLETE, PRUNED or FAIL");
  }
  std::vector<double> values(request.values().begin(), request.values().end());
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    return absl::InvalidArgumentError("a value is NaN; tell FAIL instead");
  }
  const auto objectives = static_cast<size_t>(StudyOf(trial).study.directions_size());
  if (request.state() == v1::TRIAL_STATE_PRUNED && values.empty()) values = LastValue(trial);
  const bool may_lack = request.state() == v1::TRIAL_STATE_PRUNED && values.empty();
  if (request.state() != v1::TRIAL_STATE_FAIL && !may_lack && values.size() != objectives) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the study has ", objectives, " objectives, the call ", values.size(), " values"));
  }
  RETURN_IF_ERROR(CheckConstraints(StudyOf(trial), request));
  if (request.state() == v1::TRIAL_STATE_FAIL) {
    values.clear();
  } else {
    StoreViolations(StudyOf(trial), trial,
                    {request.constraints().begin(), request.constraints().end()});
  }
  EndTrial(trial, request.state(), std::move(values), "");
  auto response = std::make_shared<v1::TellResponse>();
  *response->mutable_trial() = View(trial, false);
  return response;
}

Core::Result Core::ReportValue(const v1::ReportValueRequest& request) {
  auto found = ExternalTrial(request.trial());
  if (!found.ok()) return found.status();
  TrialRecord& trial = **found;
  if (request.step() < 0) return absl::InvalidArgumentError("step must be 0 or more");
  StudyRecord& study = StudyOf(trial);
  const int objectives = std::max(1, study.study.directions_size());
  std::vector<double> values(request.values().begin(), request.values().end());
  if (values.empty() && objectives == 1) values.push_back(request.value());
  if (values.size() != static_cast<size_t>(objectives)) {
    return absl::InvalidArgumentError(absl::StrCat("the study has ", objectives,
                                                   " objectives, the report ", values.size(),
                                                   " values; give one per objective in `values`"));
  }
  AddObjectives(trial, request.step(), values);
  RefreshView(study, trial, true);
  auto response = std::make_shared<v1::ReportValueResponse>();
  response->set_should_prune(WantsPrune(study, trial));
  return response;
}

}  // namespace vlm::core
