// Ended trials from elsewhere: Optuna databases, CSV files, other studies.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_json.h"
#include "server/core/optuna_view.h"

namespace vlm::core {
namespace {

using Ranges = absl::flat_hash_map<std::string, v1::Distribution>;

absl::Status CheckImportedValues(const v1::Trial& trial, int objectives) {
  if (std::any_of(trial.values().begin(), trial.values().end(),
                  [](double value) { return std::isnan(value); })) {
    return absl::InvalidArgumentError("a value is NaN; import it as FAIL");
  }
  const bool may_lack = trial.state() != v1::TRIAL_STATE_COMPLETE && trial.values().empty();
  if (!may_lack && trial.values_size() != objectives) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it has ", trial.values_size(), " values, the study ", objectives, " objectives"));
  }
  int64_t last = -1;
  for (const v1::IntermediateValue& value : trial.intermediate_values()) {
    if (value.step() <= last) {
      return absl::InvalidArgumentError("intermediate values must go by step, from 0, each once");
    }
    last = value.step();
  }
  return absl::OkStatus();
}

// Adds the trial's ranges to those that were seen.
absl::Status CheckImportedParams(const v1::Trial& trial, Ranges* ranges) {
  for (const v1::Param& param : trial.params()) {
    RETURN_IF_ERROR(CheckLength("parameter", param.name()));
    absl::Status fits_range = Internal(param.distribution(), param.value()).status();
    // Optuna keeps numbers outside their range; a file that has them is more likely wrong.
    if (fits_range.ok() && !param.distribution().has_categorical_distribution()) {
      fits_range = search::ToInternal(param.distribution(), param.value()).status();
    }
    if (!fits_range.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(param.name(), ": ", fits_range.message()));
    }
    const auto [known, fresh] = ranges->try_emplace(param.name(), param.distribution());
    if (fresh) continue;
    const absl::Status fits = CheckCompatible(known->second, param.distribution());
    if (!fits.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(param.name(), ": ", fits.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckImportedAttributes(const v1::Trial& trial) {
  for (const auto* attributes : {&trial.user_attributes(), &trial.system_attributes()}) {
    for (const auto& [key, value] : *attributes) {
      RETURN_IF_ERROR(CheckLength("attribute", key));
      if (absl::Status valid = CheckJson(value); !valid.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("attribute ", key, ": ", valid.message()));
      }
    }
  }
  return absl::OkStatus();
}

// What of a trial goes with it; ids, attempts and checkpoints belong to where it was trained.
v1::Trial Imported(const v1::Trial& trial, const google::protobuf::Timestamp& now) {
  v1::Trial out;
  out.set_state(trial.state());
  out.set_reason(trial.reason());
  out.set_last_step(-1);
  out.set_external(true);
  *out.mutable_params() = trial.params();
  if (trial.state() != v1::TRIAL_STATE_FAIL) *out.mutable_values() = trial.values();
  *out.mutable_intermediate_values() = trial.intermediate_values();
  *out.mutable_user_attributes() = trial.user_attributes();
  *out.mutable_system_attributes() = trial.system_attributes();
  *out.mutable_end_time() = trial.has_end_time() ? trial.end_time() : now;
  *out.mutable_start_time() = trial.has_start_time() ? trial.start_time() : out.end_time();
  return out;
}

}  // namespace

absl::StatusOr<v1::Study> Core::DraftStudy(const v1::ImportStudyRequest::Header& header) const {
  if (header.study().empty()) return absl::InvalidArgumentError("the new study needs a name");
  RETURN_IF_ERROR(CheckName(header.study()));
  if (state_.study_names.contains(header.study())) {
    return absl::AlreadyExistsError(absl::StrCat("a study named \"", header.study(),
                                                 "\" exists; give another name, or add to it"));
  }
  v1::Study study;
  study.set_name(header.study());
  study.set_state(v1::STUDY_STATE_ACTIVE);  // As those that Optuna's clients make.
  *study.mutable_directions() = header.directions();
  if (study.directions().empty()) study.add_directions(v1::DIRECTION_MINIMIZE);
  study.set_metric(header.metric());
  study.set_owner(header.owner());
  *study.mutable_create_time() = ToProto(now_.wall);
  return study;
}

Core::Result Core::Import(const ImportCall& call) {
  StudyRecord* study = nullptr;
  v1::Study draft;
  Ranges ranges;
  if (call.header.append()) {
    ASSIGN_OR_RETURN(study, FindStudy(call.header.study()));
    ranges = study->distributions;
    for (const v1::SearchParam& searched : study->spec.search_space()) {
      ranges.try_emplace(searched.name(), searched.distribution());
    }
  } else {
    ASSIGN_OR_RETURN(draft, DraftStudy(call.header));
  }
  const int objectives =
      study == nullptr ? draft.directions_size() : study->study.directions_size();
  std::vector<v1::Trial> ended;
  for (size_t i = 0; i < call.trials.size(); ++i) {
    const v1::Trial& trial = call.trials[i];
    if (!IsEnd(trial.state())) continue;
    absl::Status valid = CheckImportedValues(trial, objectives);
    valid.Update(CheckImportedParams(trial, &ranges));
    valid.Update(CheckImportedAttributes(trial));
    if (!valid.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("trial ", i, " of the import (number ",
                                                     trial.number(), "): ", valid.message()));
    }
    ended.push_back(Imported(trial, ToProto(now_.wall)));
  }
  if (study == nullptr) {  // Everything is valid: from here on nothing fails.
    draft.set_study_id(++state_.last_study_id);
    state_.study_names[draft.name()] = draft.study_id();
    study = &state_.studies[draft.study_id()];
    study->study = std::move(draft);
  }
  const auto added = static_cast<int64_t>(ended.size());
  if (study->spec.has_train()) {  // What others have trained does not eat into the budget.
    study->study.set_n_trials(static_cast<int32_t>(study->study.n_trials() + added));
  }
  Put(*study);
  if (!call.header.append()) KeepMetricName(*study);
  for (v1::Trial& trial : ended) UpdateBest(*study, AddTrial(*study, std::move(trial)));
  Emit("study.imported", absl::StrCat(added, " trials were added to ", study->study.name()), study,
       nullptr);
  auto response = std::make_shared<v1::ImportStudyResponse>();
  *response->mutable_study() = View(*study);
  response->set_added(added);
  response->set_left_out(static_cast<int64_t>(call.trials.size()) - added);
  return response;
}

}  // namespace vlm::core
