// Optuna's storage protocol: trials. What each call refuses is written in proto/optuna.
//
// A trial that one of our workers trains, or is to train, is `external() == false`: clients may
// read it, give it attributes, and take it while it waits, but not write its state, parameters or
// values.
#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_json.h"
#include "server/core/optuna_view.h"

namespace vlm::core {

absl::StatusOr<TrialRecord*> Core::TrialById(int64_t trial_id) {
  if (TrialRecord* trial = state_.trials.find(trial_id); trial != nullptr) return trial;
  return absl::NotFoundError(absl::StrCat("no trial with id ", trial_id));
}

absl::StatusOr<TrialRecord*> Core::OpenTrial(int64_t trial_id) {
  ASSIGN_OR_RETURN(TrialRecord * trial, TrialById(trial_id));
  if (!IsEnd(trial->trial.state())) return trial;
  return absl::FailedPreconditionError(absl::StrCat("trial ", NameOf(StudyOf(*trial), *trial),
                                                    " is ", ShortName(trial->trial.state()),
                                                    " and stays as it is"));
}

absl::StatusOr<TrialRecord*> Core::TheirTrial(int64_t trial_id) {
  ASSIGN_OR_RETURN(TrialRecord * trial, OpenTrial(trial_id));
  if (trial->trial.external()) return trial;
  const bool waits = trial->trial.state() == v1::TRIAL_STATE_WAITING;
  return absl::FailedPreconditionError(
      absl::StrCat("trial ", NameOf(StudyOf(*trial), *trial),
                   waits ? " waits for a worker of vlmctl; set it RUNNING first to take it"
                         : " is trained by a worker of vlmctl; end it with `vlmctl trial stop`"));
}

// Against the study's search space, if it has one, and the trials before.
absl::Status Core::CheckDistribution(const StudyRecord& study, const std::string& name,
                                     const v1::Distribution& distribution) const {
  absl::Status fits;
  for (const v1::SearchParam& searched : study.spec.search_space()) {
    if (searched.name() == name) fits = CheckCompatible(searched.distribution(), distribution);
  }
  if (const auto it = study.distributions.find(name); it != study.distributions.end()) {
    fits.Update(CheckCompatible(it->second, distribution));
  }
  return Annotate(fits, absl::StrCat("parameter \"", name, "\""));
}

// A trial that waits in a submitted study: what its template fixes must be of the search space.
absl::Status Core::FixParams(const StudyRecord& study, v1::Trial& trial) const {
  absl::flat_hash_map<std::string, v1::ParamValue> fixed;
  for (const v1::Param& param : trial.params()) fixed[param.name()] = param.value();
  auto& attributes = *trial.mutable_system_attributes();
  if (const auto text = attributes.find(kFixedParams); text != attributes.end()) {
    ASSIGN_OR_RETURN(const auto members, JsonMembers(text->second));
    for (const auto& [name, value] : members) fixed[name] = ParseValueJson(value);
  }
  trial.clear_params();
  for (const v1::SearchParam& searched : study.spec.search_space()) {
    const auto value = fixed.find(searched.name());
    if (value == fixed.end()) continue;
    const auto internal = search::ToInternal(searched.distribution(), value->second);
    if (!internal.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("fixed parameter \"", searched.name(), "\": ", internal.status().message()));
    }
    v1::Param& param = *trial.add_params();
    param.set_name(searched.name());
    *param.mutable_value() = value->second;
    *param.mutable_distribution() = searched.distribution();
    fixed.erase(value);
  }
  if (!fixed.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("fixed parameter \"", fixed.begin()->first,
                                                   "\" is not in the search space of study \"",
                                                   study.study.name(), "\""));
  }
  attributes[kFixedParams] = FixedParamsJson(trial);
  return absl::OkStatus();
}

// A NaN would make the study unreadable; a sampler of ours needs one value per objective.
absl::Status Core::CheckValues(const StudyRecord& study, v1::TrialState state,
                               const google::protobuf::RepeatedField<double>& values) const {
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    return absl::InvalidArgumentError("a value of the trial is NaN; set the state FAIL instead");
  }
  if (state == v1::TRIAL_STATE_COMPLETE && study.spec.has_train() &&
      values.size() != study.study.directions_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("study \"", study.study.name(), "\" has ", study.study.directions_size(),
                     " objectives, the trial ", values.size(), " values"));
  }
  return absl::OkStatus();
}

Core::Result Core::Serve(const optuna::CreateNewTrialRequest& request) {
  v1::Trial trial;
  trial.set_state(v1::TRIAL_STATE_RUNNING);
  trial.set_last_step(-1);
  *trial.mutable_start_time() = ToProto(now_.wall);
  if (!request.template_trial_is_none()) {
    ASSIGN_OR_RETURN(trial, FromOptuna(request.template_trial(), options_.time_zone));
  }
  ASSIGN_OR_RETURN(StudyRecord * study, StudyById(request.study_id()));
  RETURN_IF_ERROR(CheckValues(*study, trial.state(), trial.values()));
  for (const v1::Param& param : trial.params()) {
    RETURN_IF_ERROR(CheckDistribution(*study, param.name(), param.distribution()));
  }
  const bool ours = trial.state() == v1::TRIAL_STATE_WAITING && study->spec.has_train();
  if (ours) RETURN_IF_ERROR(FixParams(*study, trial));
  trial.set_external(!ours);
  TrialRecord& kept = AddTrial(*study, std::move(trial));
  UpdateBest(*study, kept);
  const v1::TrialState state = kept.trial.state();
  const std::string name = absl::StrCat("trial ", NameOf(*study, kept));
  if (state == v1::TRIAL_STATE_WAITING) {
    Emit("trial.enqueued", absl::StrCat(name, " waits"), study, &kept);
  } else if (state == v1::TRIAL_STATE_RUNNING) {
    Emit("trial.started", absl::StrCat(name, " was started by an Optuna client"), study, &kept);
  } else {
    Emit("trial.added", absl::StrCat(name, " was added as ", ShortName(state)), study, &kept);
  }
  auto reply = std::make_shared<optuna::CreateNewTrialReply>();
  reply->set_trial_id(kept.trial.trial_id());
  return reply;
}

Core::Result Core::Serve(const optuna::SetTrialParameterRequest& request) {
  ASSIGN_OR_RETURN(TrialRecord * trial, TheirTrial(request.trial_id()));
  StudyRecord& study = StudyOf(*trial);
  const std::string& name = request.param_name();
  RETURN_IF_ERROR(CheckLength("parameter", name));
  v1::Param param;
  param.set_name(name);
  ASSIGN_OR_RETURN(*param.mutable_distribution(), ParseDistribution(request.distribution()));
  RETURN_IF_ERROR(CheckDistribution(study, name, param.distribution()));
  ASSIGN_OR_RETURN(*param.mutable_value(),
                   FromInternal(param.distribution(), request.param_value_internal()));
  const auto& known = trial->trial.params();
  if (std::none_of(known.begin(), known.end(), [&](const auto& p) { return p.name() == name; })) {
    out_->batch.push_back(PutTrialParam{request.trial_id(), param});
    *trial->trial.add_params() = std::move(param);
    RefreshView(study, *trial, true);
  }
  return std::make_shared<optuna::SetTrialParameterReply>();
}

Core::Result Core::Serve(const optuna::GetTrialIdFromStudyIdTrialNumberRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  const auto number = static_cast<uint64_t>(request.trial_number());
  if (number >= study->trial_ids.size()) {
    return absl::NotFoundError(
        absl::StrCat("study \"", study->study.name(), "\" has no trial ", request.trial_number()));
  }
  auto reply = std::make_shared<optuna::GetTrialIdFromStudyIdTrialNumberReply>();
  reply->set_trial_id(study->trial_ids[number]);
  return reply;
}

// To RUNNING or WAITING. False: RUNNING, but somebody else has taken it already.
bool Core::MoveTo(StudyRecord& study, TrialRecord& record, v1::TrialState state) {
  v1::Trial& trial = record.trial;
  const bool waited = trial.state() == v1::TRIAL_STATE_WAITING;
  if (state == v1::TRIAL_STATE_RUNNING && !waited) return false;
  trial.set_state(state);
  if (state == v1::TRIAL_STATE_RUNNING) {
    std::erase(study.waiting, trial.number());
    *trial.mutable_start_time() = ToProto(now_.wall);
    if (!trial.external()) trial.clear_params();  // They are in fixed_params.
    trial.set_external(true);
    Emit("trial.started",
         absl::StrCat("trial ", NameOf(study, record), " was taken by an Optuna client"), &study,
         &record);
  } else if (!waited) {
    study.waiting.push_back(trial.number());
    trial.set_external(!study.spec.has_train());
    Emit("trial.enqueued", absl::StrCat("trial ", NameOf(study, record), " waits"), &study,
         &record);
  }
  return true;
}

Core::Result Core::Serve(const optuna::SetTrialStateValuesRequest& request) {
  ASSIGN_OR_RETURN(const v1::TrialState state, FromOptuna(request.state()));
  ASSIGN_OR_RETURN(TrialRecord * trial, OpenTrial(request.trial_id()));
  if (trial->trial.state() == v1::TRIAL_STATE_RUNNING) {
    ASSIGN_OR_RETURN(trial, TheirTrial(request.trial_id()));
  }
  StudyRecord& study = StudyOf(*trial);
  const auto& values = request.values().empty() ? trial->trial.values() : request.values();
  RETURN_IF_ERROR(CheckValues(study, state, values));
  auto reply = std::make_shared<optuna::SetTrialStateValuesReply>();
  if (IsEnd(state)) {
    EndTrial(*trial, state, {values.begin(), values.end()}, "");
    reply->set_trial_updated(true);
    return reply;
  }
  if (!request.values().empty()) *trial->trial.mutable_values() = request.values();
  reply->set_trial_updated(MoveTo(study, *trial, state));
  if (reply->trial_updated() || !request.values().empty()) {
    Put(*trial, true);
    RefreshView(study, *trial, true);
  }
  return reply;
}

Core::Result Core::Serve(const optuna::SetTrialIntermediateValueRequest& request) {
  ASSIGN_OR_RETURN(TrialRecord * trial, TheirTrial(request.trial_id()));
  const double value = request.intermediate_value();
  if (!AddIntermediate(*trial, request.step(), value)) {
    auto& values = *trial->trial.mutable_intermediate_values();
    const auto known = std::lower_bound(values.begin(), values.end(), request.step(),
                                        [](const auto& v, int64_t s) { return v.step() < s; });
    known->set_value(value);
    out_->batch.push_back(PutIntermediateValue{request.trial_id(), request.step(), value, true});
  }
  trial->trial.set_last_step(std::max(trial->trial.last_step(), request.step()));
  RefreshView(StudyOf(*trial), *trial, true);
  EmitProgress(*trial);
  return std::make_shared<optuna::SetTrialIntermediateValueReply>();
}

absl::Status Core::SetTrialAttribute(int64_t trial_id, bool user, const std::string& key,
                                     const std::string& value) {
  RETURN_IF_ERROR(CheckLength("attribute", key));
  RETURN_IF_ERROR(Annotate(CheckJson(value), absl::StrCat("attribute \"", key, "\"")));
  ASSIGN_OR_RETURN(TrialRecord * trial, OpenTrial(trial_id));
  auto& attributes =
      user ? *trial->trial.mutable_user_attributes() : *trial->trial.mutable_system_attributes();
  attributes[key] = value;
  out_->batch.push_back(PutTrialAttribute{trial_id, user, key, value});
  return absl::OkStatus();
}

Core::Result Core::Serve(const optuna::SetTrialUserAttributeRequest& request) {
  RETURN_IF_ERROR(SetTrialAttribute(request.trial_id(), true, request.key(), request.value()));
  return std::make_shared<optuna::SetTrialUserAttributeReply>();
}

Core::Result Core::Serve(const optuna::SetTrialSystemAttributeRequest& request) {
  RETURN_IF_ERROR(SetTrialAttribute(request.trial_id(), false, request.key(), request.value()));
  return std::make_shared<optuna::SetTrialSystemAttributeReply>();
}

Core::Result Core::Serve(const optuna::GetTrialRequest& request) {
  if (!state_.trials.contains(request.trial_id())) return TrialById(request.trial_id()).status();
  TrialRecord scratch;
  auto reply = std::make_shared<optuna::GetTrialReply>();
  *reply->mutable_trial() =
      ToOptuna(state_.trials.Look(request.trial_id(), &scratch), options_.time_zone);
  return reply;
}

// A client asks for what it does not have and what may have changed, so the answer is small however
// large the study is.
Core::Result Core::Serve(const optuna::GetTrialsRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  const absl::flat_hash_set<int64_t> included(request.included_trial_ids().begin(),
                                              request.included_trial_ids().end());
  auto reply = std::make_shared<optuna::GetTrialsReply>();
  TrialRecord scratch;
  for (const int64_t id : study->trial_ids) {
    if (id <= request.trial_id_greater_than() && !included.contains(id)) continue;
    *reply->add_trials() = ToOptuna(state_.trials.Look(id, &scratch), options_.time_zone);
  }
  return reply;
}

}  // namespace vlm::core
