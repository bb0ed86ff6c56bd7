// Optuna's storage protocol: studies. What each call refuses is written in proto/optuna.
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_view.h"

namespace vlm::core {

absl::StatusOr<StudyRecord*> Core::StudyById(int64_t study_id) {
  const auto it = state_.studies.find(study_id);
  if (it != state_.studies.end()) return &it->second;
  return absl::NotFoundError(absl::StrCat("no study with id ", study_id));
}

// A study without a search space of ours: whoever made it samples, trains and ends its trials.
Core::Result Core::Serve(const optuna::CreateNewStudyRequest& request) {
  const std::string& name = request.study_name();
  RETURN_IF_ERROR(CheckLength("study", name));
  v1::Study study;
  for (const int direction : request.directions()) {
    ASSIGN_OR_RETURN(const v1::Direction d,
                     FromOptuna(static_cast<optuna::StudyDirection>(direction)));
    study.add_directions(d);
  }
  if (state_.study_names.contains(name)) {
    return absl::AlreadyExistsError(absl::StrCat("a study named \"", name, "\" exists"));
  }
  study.set_study_id(++state_.last_study_id);
  study.set_name(name);
  study.set_state(v1::STUDY_STATE_ACTIVE);
  *study.mutable_create_time() = ToProto(now_.wall);
  state_.study_names[name] = study.study_id();
  StudyRecord& kept = state_.studies[study.study_id()];
  kept.study = std::move(study);
  Put(kept);
  Emit("study.created", absl::StrCat("study ", name, " was made by an Optuna client"), &kept,
       nullptr);
  auto reply = std::make_shared<optuna::CreateNewStudyReply>();
  reply->set_study_id(kept.study.study_id());
  return reply;
}

Core::Result Core::Serve(const optuna::DeleteStudyRequest& request) {
  ASSIGN_OR_RETURN(StudyRecord * study, StudyById(request.study_id()));
  if (study->live_attempts > 0) {
    return absl::FailedPreconditionError(absl::StrCat("workers are training ", study->live_attempts,
                                                      " trials of study \"", study->study.name(),
                                                      "\"; cancel it first: vlmctl study cancel"));
  }
  RemoveStudy(*study, Removal::kForEver);
  return std::make_shared<optuna::DeleteStudyReply>();
}

absl::Status Core::SetAttribute(int64_t study_id, bool user, const std::string& key,
                                const std::string& value) {
  RETURN_IF_ERROR(CheckLength("attribute", key));
  RETURN_IF_ERROR(Annotate(CheckJson(value), absl::StrCat("attribute \"", key, "\"")));
  ASSIGN_OR_RETURN(StudyRecord * study, StudyById(study_id));
  (user ? study->user_attributes : study->system_attributes)[key] = value;
  out_->batch.push_back(PutStudyAttribute{study_id, user, key, value});
  return absl::OkStatus();
}

Core::Result Core::Serve(const optuna::SetStudyUserAttributeRequest& request) {
  RETURN_IF_ERROR(SetAttribute(request.study_id(), true, request.key(), request.value()));
  return std::make_shared<optuna::SetStudyUserAttributeReply>();
}

Core::Result Core::Serve(const optuna::SetStudySystemAttributeRequest& request) {
  RETURN_IF_ERROR(SetAttribute(request.study_id(), false, request.key(), request.value()));
  return std::make_shared<optuna::SetStudySystemAttributeReply>();
}

Core::Result Core::Serve(const optuna::GetStudyIdFromNameRequest& request) {
  const auto it = state_.study_names.find(request.study_name());
  if (it == state_.study_names.end()) {
    return absl::NotFoundError(absl::StrCat("no study named \"", request.study_name(), "\""));
  }
  auto reply = std::make_shared<optuna::GetStudyIdFromNameReply>();
  reply->set_study_id(it->second);
  return reply;
}

Core::Result Core::Serve(const optuna::GetStudyNameFromIdRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  auto reply = std::make_shared<optuna::GetStudyNameFromIdReply>();
  reply->set_study_name(study->study.name());
  return reply;
}

Core::Result Core::Serve(const optuna::GetStudyDirectionsRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  auto reply = std::make_shared<optuna::GetStudyDirectionsReply>();
  *reply->mutable_directions() = ToOptuna(*study).directions();
  return reply;
}

Core::Result Core::Serve(const optuna::GetStudyUserAttributesRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  auto reply = std::make_shared<optuna::GetStudyUserAttributesReply>();
  reply->mutable_user_attributes()->insert(study->user_attributes.begin(),
                                           study->user_attributes.end());
  return reply;
}

Core::Result Core::Serve(const optuna::GetStudySystemAttributesRequest& request) {
  ASSIGN_OR_RETURN(const StudyRecord* study, StudyById(request.study_id()));
  auto reply = std::make_shared<optuna::GetStudySystemAttributesReply>();
  reply->mutable_system_attributes()->insert(study->system_attributes.begin(),
                                             study->system_attributes.end());
  return reply;
}

Core::Result Core::Serve(const optuna::GetAllStudiesRequest&) {
  auto reply = std::make_shared<optuna::GetAllStudiesReply>();
  for (const auto& [id, study] : state_.studies) *reply->add_studies() = ToOptuna(study);
  return reply;
}

}  // namespace vlm::core
