// When a study's budget is used up, and how it ends.
#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {

bool Core::TimedOut(const StudyRecord& study) const {
  return study.study.timeout_s() > 0 && study.first_attempt != absl::InfinitePast() &&
         now_.wall >= study.first_attempt + absl::Seconds(study.study.timeout_s());
}

bool Core::BudgetLeft(const StudyRecord& study) const {
  return !study.exhausted && static_cast<int64_t>(study.trial_ids.size()) < study.study.n_trials();
}

// Whether another program still has one of its trials.
bool Core::AnyOpen(const StudyRecord& study) const {
  TrialRecord scratch;
  for (size_t number = 0; number < study.trial_ids.size(); ++number) {
    if (StateOf(study, number) != v1::TRIAL_STATE_RUNNING) continue;
    if (state_.trials.Look(study.trial_ids[number], &scratch).trial.external()) return true;
  }
  return false;
}

// Why the last one of the trials that are the study's own (not copied from elsewhere) failed; not
// looked for if one of them is COMPLETE.
std::string Core::LastFailure(const StudyRecord& study, bool* any_complete) const {
  std::string reason;
  bool found = false;
  TrialRecord scratch;
  *any_complete = false;
  for (size_t number = study.trial_ids.size(); number-- > 0 && !*any_complete;) {
    const v1::TrialState state = StateOf(study, number);
    if (state != v1::TRIAL_STATE_COMPLETE && (state != v1::TRIAL_STATE_FAIL || found)) continue;
    const v1::Trial& trial = state_.trials.Look(study.trial_ids[number], &scratch).trial;
    if (trial.system_attributes().contains(kSeededFrom)) continue;
    *any_complete = state == v1::TRIAL_STATE_COMPLETE;
    if (*any_complete) break;
    found = true;
    reason = trial.reason();
  }
  return reason;
}

// COMPLETED when nothing is left to grant and nothing runs; FAILED if not one trial came through.
void Core::FinishStudyIfDone(StudyRecord& study) {
  if (study.study.state() != v1::STUDY_STATE_ACTIVE || !study.spec.has_train()) return;
  const bool timed_out = TimedOut(study);
  if (study.live_attempts > 0) return;
  if (!timed_out && (BudgetLeft(study) || !study.waiting.empty() || !study.requeued.empty())) {
    return;
  }
  if (study.counts.running() > 0 && AnyOpen(study)) return;
  if (timed_out) {
    for (size_t number = 0; number < study.trial_ids.size(); ++number) {
      if (IsEnd(StateOf(study, number))) continue;
      EndTrial(state_.trials.at(study.trial_ids[number]), v1::TRIAL_STATE_FAIL, {},
               "the study's optimization_timeout passed");
    }
    study.waiting.clear();
    study.requeued.clear();
  }
  bool any_complete = false;
  const std::string last_reason = LastFailure(study, &any_complete);
  RefuseAsks(study, absl::ResourceExhaustedError("the study's budget is used up"));
  if (any_complete || last_reason.empty()) {
    SetStudyState(study, v1::STUDY_STATE_COMPLETED,
                  timed_out ? "optimization_timeout has passed" : "");
  } else {
    SetStudyState(study, v1::STUDY_STATE_FAILED,
                  absl::StrCat("no trial came through; the last one: ", last_reason));
  }
}

}  // namespace vlm::core
