// Deleted studies: kept aside for a while, restored with their ids, or purged.
//
// A deleted study is no study any more: its rows leave Optuna's tables in the same transaction that
// stores it whole in one row of ours. Its series, logs and checkpoints stay where they are until it
// is purged.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

constexpr char kReason[] = "the study was deleted";

// Larger ones would not fit a row of SQLite.
constexpr size_t kLargestKept = size_t{900} << 20;

bool IsTrainedHere(const v1::Trial& trial) {
  return trial.state() == v1::TRIAL_STATE_RUNNING && !trial.external();
}

}  // namespace

// What runs ends with the deletion; what another program trains, or what waits, may go on later.
v1::WholeStudy Core::WholeOf(const StudyRecord& study) const {
  v1::WholeStudy whole;
  *whole.mutable_study() = study.study;
  *whole.mutable_study()->mutable_counts() = study.counts;
  *whole.mutable_study()->mutable_delete_time() = ToProto(now_.wall);
  *whole.mutable_spec() = study.spec;
  if (study.first_attempt != absl::InfinitePast()) {
    *whole.mutable_first_attempt_time() = ToProto(study.first_attempt);
  }
  whole.set_sampler_state(study.sampler_state);
  whole.mutable_user_attributes()->insert(study.user_attributes.begin(),
                                          study.user_attributes.end());
  whole.mutable_system_attributes()->insert(study.system_attributes.begin(),
                                            study.system_attributes.end());
  TrialRecord scratch;
  for (int64_t trial_id : study.trial_ids) {
    const TrialRecord& record = state_.trials.Look(trial_id, &scratch);
    v1::Trial& trial = *whole.add_trials();
    trial = record.trial;
    if (IsTrainedHere(trial)) {
      trial.set_state(v1::TRIAL_STATE_FAIL);
      trial.set_reason(kReason);
      *trial.mutable_end_time() = ToProto(now_.wall);
    }
    for (int64_t attempt_id : record.attempt_ids) {
      v1::Attempt& attempt = *whole.add_attempts();
      attempt = state_.attempts.at(attempt_id)->attempt;
      if (IsEnd(attempt.state())) continue;
      attempt.set_state(v1::ATTEMPT_STATE_STOPPED);
      attempt.set_reason(kReason);
      *attempt.mutable_end_time() = ToProto(now_.wall);
    }
    if (const auto ids = state_.trial_checkpoints.find(trial_id);
        ids != state_.trial_checkpoints.end()) {
      for (const std::string& id : ids->second) {
        *whole.add_checkpoints() = state_.checkpoints.at(id);
      }
    }
  }
  return whole;
}

Core::Result Core::DeleteStudy(const v1::DeleteStudyRequest& request) {
  auto response = std::make_shared<v1::DeleteStudyResponse>();
  auto found = FindStudy(request.study());
  if (!found.ok()) {
    // --purge also takes one that was deleted before.
    const auto deleted = FindDeleted(request.study());
    if (!request.purge() || !deleted.ok()) return found.status();
    response->set_study_id(*deleted);
    PurgeDeleted(*deleted);
    return response;
  }
  StudyRecord& study = **found;
  if (study.live_attempts > 0 && !request.cancel()) {
    return absl::FailedPreconditionError(
        absl::StrCat("study \"", study.study.name(), "\" has ", study.live_attempts,
                     " running attempts; cancel it first, or delete with --cancel"));
  }
  response->set_study_id(study.study.study_id());
  if (request.purge()) {
    RemoveStudy(study, Removal::kForEver);
    return response;
  }
  v1::WholeStudy whole = WholeOf(study);
  if (whole.ByteSizeLong() > kLargestKept) {
    return absl::FailedPreconditionError(absl::StrCat("study \"", study.study.name(),
                                                      "\" is too large to be kept; export it and "
                                                      "delete it with --purge"));
  }
  DeletedStudy& kept = state_.deleted[study.study.study_id()];
  kept.study = whole.study();
  for (const v1::Checkpoint& checkpoint : whole.checkpoints()) {
    kept.checkpoint_ids.push_back(checkpoint.checkpoint_id());
  }
  *response->mutable_delete_time() = whole.study().delete_time();
  RemoveStudy(study, Removal::kRestorable);
  out_->batch.push_back(PutDeletedStudy{std::move(whole)});
  return response;
}

// By name (the one deleted last) or number.
absl::StatusOr<int64_t> Core::FindDeleted(const std::string& text) const {
  int64_t id = 0;
  for (auto it = state_.deleted.rbegin(); it != state_.deleted.rend(); ++it) {
    if (it->second.study.name() != text) continue;
    if (id == 0 || FromProto(it->second.study.delete_time()) >
                       FromProto(state_.deleted.at(id).study.delete_time())) {
      id = it->first;
    }
  }
  if (id != 0) return id;
  if (absl::SimpleAtoi(text, &id) && state_.deleted.contains(id)) return id;
  return absl::NotFoundError(
      absl::StrCat("no deleted study \"", text, "\"; see `vlmctl study list --deleted`"));
}

void Core::PurgeDeleted(int64_t study_id) {
  const auto it = state_.deleted.find(study_id);
  for (const std::string& id : it->second.checkpoint_ids) {
    out_->effects.push_back(DropCheckpointFile{id});
  }
  out_->batch.push_back(DropDeletedStudy{study_id, true});
  Emit("study.purged", absl::StrCat("study ", it->second.study.name(), " was purged"), nullptr,
       nullptr);
  state_.deleted.erase(it);
}

// Those whose time has passed.
void Core::PurgeOld() {
  std::vector<int64_t> old;
  for (const auto& [id, deleted] : state_.deleted) {
    if (FromProto(deleted.study.delete_time()) + options_.deleted_kept <= now_.wall) {
      old.push_back(id);
    }
  }
  for (int64_t id : old) PurgeDeleted(id);
}

// A repeated request's answer is in memory already: 0 says that nothing has to be read.
Core::Result Core::LookUpDeleted(const LookUpDeletedStudy& question) {
  auto response = std::make_shared<v1::DeleteStudyResponse>();
  if (state_.requests.contains(question.request_id)) return response;
  ASSIGN_OR_RETURN(const int64_t id, FindDeleted(question.study));
  response->set_study_id(id);
  return response;
}

Core::Result Core::RestoreStudy(const RestoreCall& call) {
  const int64_t study_id = call.whole.study().study_id();
  if (!state_.deleted.contains(study_id)) {
    return absl::NotFoundError(absl::StrCat("no deleted study \"", call.request.study(), "\""));
  }
  const std::string name =
      call.request.name().empty() ? call.whole.study().name() : call.request.name();
  RETURN_IF_ERROR(CheckName(name));
  if (state_.study_names.contains(name)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "a study named \"", name, "\" exists by now; restore this one with --name OTHER"));
  }
  StudyRecord& study = state_.studies[study_id];
  study.study = call.whole.study();
  study.study.set_name(name);
  study.study.clear_counts();
  study.study.clear_best_value();
  study.study.clear_delete_time();
  study.spec = call.whole.spec();
  study.sampler_state = call.whole.sampler_state();
  if (call.whole.has_first_attempt_time()) {
    study.first_attempt = FromProto(call.whole.first_attempt_time());
  }
  (void)Equip(study);
  // It takes up nothing by itself.
  if (study.study.state() == v1::STUDY_STATE_ACTIVE && study.spec.has_train()) {
    study.study.set_state(v1::STUDY_STATE_PAUSED);
    study.study.set_reason("restored; resume it to go on");
  }
  state_.study_names[name] = study_id;
  Put(study);
  out_->batch.push_back(PutSamplerState{study_id, study.sampler_state});
  for (const auto& [key, value] : call.whole.user_attributes()) {
    study.user_attributes[key] = value;
    out_->batch.push_back(PutStudyAttribute{study_id, true, key, value});
  }
  for (const auto& [key, value] : call.whole.system_attributes()) {
    study.system_attributes[key] = value;
    out_->batch.push_back(PutStudyAttribute{study_id, false, key, value});
  }
  AnnounceStudy(study);
  RestoreTrialsOf(study, call.whole);
  state_.deleted.erase(study_id);
  out_->batch.push_back(DropDeletedStudy{study_id, false});
  Emit("study.restored", absl::StrCat("study ", name, " was restored"), &study, nullptr);
  auto response = std::make_shared<v1::RestoreStudyResponse>();
  *response->mutable_study() = View(study);
  return response;
}

// With the ids that they had.
void Core::RestoreTrialsOf(StudyRecord& study, const v1::WholeStudy& whole) {
  for (const v1::Trial& trial : whole.trials()) {
    const TrialRecord& record = state_.trials.Add(trial);
    study.trial_ids.push_back(trial.trial_id());
    if (trial.state() == v1::TRIAL_STATE_WAITING) study.waiting.push_back(trial.number());
    Put(record);
    for (const v1::IntermediateValue& value : trial.intermediate_values()) {
      out_->batch.push_back(PutIntermediateValue{trial.trial_id(), value.step(), value.value()});
    }
  }
  for (const v1::Attempt& attempt : whole.attempts()) {
    auto& record = state_.attempts[attempt.attempt_id()];
    record = std::make_unique<AttemptRecord>();
    record->attempt = attempt;
    state_.trials.at(attempt.trial_id()).attempt_ids.push_back(attempt.attempt_id());
    Put(*record);
  }
  for (const v1::Checkpoint& checkpoint : whole.checkpoints()) {
    state_.checkpoints[checkpoint.checkpoint_id()] = checkpoint;
    state_.trial_checkpoints[checkpoint.trial_id()].push_back(checkpoint.checkpoint_id());
  }
  for (int64_t trial_id : study.trial_ids) {
    TrialRecord& trial = state_.trials.at(trial_id);
    RefreshView(study, trial, true);
    UpdateBest(study, trial);
  }
}

}  // namespace vlm::core
