// What other programs have written into Optuna's tables: a Python study on the same file, the
// dashboard. The file has it already, so only what hangs on it in our own tables is written here.
// It comes before the other inputs of a step and under the file's write lock; so no id or number
// that the step gives out can be one of theirs.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

const char* KindOf(v1::TrialState state) {
  switch (state) {
    case v1::TRIAL_STATE_WAITING:
      return "trial.enqueued";
    case v1::TRIAL_STATE_RUNNING:
      return "trial.started";
    case v1::TRIAL_STATE_COMPLETE:
      return "trial.completed";
    case v1::TRIAL_STATE_PRUNED:
      return "trial.pruned";
    default:
      return "trial.failed";
  }
}

// What Optuna's tables have no column for stays as we know it.
void KeepOurs(const v1::Trial& ours, v1::Trial* theirs) {
  theirs->set_number(ours.number());
  theirs->set_external(ours.external());
  theirs->set_reason(ours.reason());
  theirs->set_last_step(ours.last_step());
  theirs->set_total_steps(ours.total_steps());
  *theirs->mutable_last_points() = ours.last_points();
  theirs->clear_checkpoint();
  if (ours.has_checkpoint()) *theirs->mutable_checkpoint() = ours.checkpoint();
}

}  // namespace

void Core::Handle(const ForeignRows& rows) {
  for (const int64_t id : rows.lost_studies) {
    if (const auto it = state_.studies.find(id); it != state_.studies.end()) {
      RemoveStudy(it->second, Removal::kByOthers);
    }
  }
  for (const Snapshot::StudyRow& row : rows.studies) TakeStudy(row);
  for (const v1::Trial& trial : rows.trials) TakeTrial(trial);
}

void Core::TakeStudy(const Snapshot::StudyRow& row) {
  const int64_t id = row.study.study_id();
  state_.last_study_id = std::max(state_.last_study_id, id);
  const bool known = state_.studies.contains(id);
  StudyRecord& study = state_.studies[id];
  if (known && study.user_attributes == row.user_attributes &&
      study.system_attributes == row.system_attributes && study.study.name() == row.study.name()) {
    return;
  }
  study.user_attributes = row.user_attributes;
  study.system_attributes = row.system_attributes;
  if (known) state_.study_names.erase(study.study.name());
  study.study.set_study_id(id);
  study.study.set_name(row.study.name());
  *study.study.mutable_directions() = row.study.directions();
  state_.study_names[row.study.name()] = id;
  if (!known) {
    study.study.set_state(v1::STUDY_STATE_ACTIVE);
    *study.study.mutable_create_time() = ToProto(now_.wall);
  }
  Put(study);
  Emit(known ? "study.changed" : "study.created",
       absl::StrCat("study ", row.study.name(), known ? " was changed" : " was made",
                    " by another program"),
       &study, nullptr);
}

void Core::TakeTrial(const v1::Trial& row) {
  const auto study = state_.studies.find(row.study_id());
  if (study == state_.studies.end()) {
    VLM_LOG_WARNING("left a trial out: its study does not exist", {{"trial", row.trial_id()}});
    return;
  }
  state_.last_trial_id = std::max(state_.last_trial_id, row.trial_id());
  TrialRecord* known = state_.trials.find(row.trial_id());
  if (known == nullptr) {
    AdoptTrial(study->second, row);
  } else if (known->trial.study_id() == row.study_id()) {
    MergeTrial(study->second, *known, row);
  } else {
    VLM_LOG_WARNING("left a trial out: it has changed its study", {{"trial", row.trial_id()}});
  }
}

// A trial that we have not seen. Numbers are positions whatever the row says.
TrialRecord& Core::Keep(StudyRecord& study, v1::Trial trial) {
  if (trial.number() != static_cast<int64_t>(study.trial_ids.size())) {
    VLM_LOG_WARNING("a trial's number is not its position",
                    {{"trial", trial.trial_id()}, {"number", trial.number()}});
    trial.set_number(static_cast<int64_t>(study.trial_ids.size()));
  }
  if (trial.state() == v1::TRIAL_STATE_WAITING) {
    // Our workers run what waits in a submitted study, whoever put it there.
    if (study.spec.has_train()) trial.set_external(false);
    study.waiting.push_back(trial.number());
  }
  study.trial_ids.push_back(trial.trial_id());
  return state_.trials.Add(std::move(trial));
}

// Our workers run a WAITING trial with its fixed values, or not at all.
void Core::FixOrEnd(StudyRecord& study, TrialRecord& record) {
  if (record.trial.external()) return;
  v1::Trial fixed = record.trial;
  if (absl::Status usable = FixParams(study, fixed); !usable.ok()) {
    return EndTrial(record, v1::TRIAL_STATE_FAIL, {}, std::string(usable.message()));
  }
  if (google::protobuf::util::MessageDifferencer::Equals(record.trial, fixed)) return;
  record.trial = std::move(fixed);
  Touch(record);
}

void Core::AdoptTrial(StudyRecord& study, const v1::Trial& row) {
  TrialRecord& record = Keep(study, row);
  const v1::Trial& trial = record.trial;
  if (trial.state() == v1::TRIAL_STATE_WAITING) FixOrEnd(study, record);
  if (trial.state() != row.state()) return;
  RefreshView(study, record, true);
  UpdateBest(study, record);
  Emit(KindOf(trial.state()),
       absl::StrCat("trial ", NameOf(study, record), " of another program is ",
                    ShortName(trial.state())),
       &study, &record);
}

void Core::MergeTrial(StudyRecord& study, TrialRecord& record, v1::Trial row) {
  v1::Trial& trial = record.trial;
  KeepOurs(trial, &row);
  const v1::TrialState before = trial.state();
  const bool ours = !trial.external() && before != v1::TRIAL_STATE_WAITING;
  if (ours && (IsEnd(before) || !IsEnd(row.state()))) {
    // A worker of ours trains it, or did: from others it takes attributes only.
    *trial.mutable_user_attributes() = row.user_attributes();
    *trial.mutable_system_attributes() = row.system_attributes();
    return Put(record);
  }
  if (!trial.external() && before == v1::TRIAL_STATE_WAITING && row.state() == before) {
    *row.mutable_params() = trial.params();  // Fixed values.
  }
  if (google::protobuf::util::MessageDifferencer::Equals(trial, row)) return;
  std::erase(study.waiting, trial.number());
  std::erase(study.requeued, trial.trial_id());
  if (record.live_attempt != 0) {
    CloseAttempt(*state_.attempts.at(record.live_attempt), v1::ATTEMPT_STATE_STOPPED,
                 v1::FAILURE_CLASS_UNSPECIFIED, "another program has ended the trial");
  }
  trial = std::move(row);
  if (trial.state() == v1::TRIAL_STATE_WAITING) {
    study.waiting.push_back(trial.number());
  } else if (!trial.external()) {
    trial.set_external(true);
    Put(record, true);
  }
  for (const v1::IntermediateValue& value : trial.intermediate_values()) {
    trial.set_last_step(std::max(trial.last_step(), value.step()));
  }
  RefreshView(study, record, true);
  UpdateBest(study, record);
  if (trial.state() == before) return EmitProgress(record);
  Emit(KindOf(trial.state()),
       absl::StrCat("trial ", NameOf(study, record), " is ", ShortName(trial.state()),
                    ", says another program"),
       &study, &record);
  if (IsEnd(trial.state())) out_->effects.push_back(PublishLog{trial.trial_id(), {}, true});
}

}  // namespace vlm::core
