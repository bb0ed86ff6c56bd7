// How attempts end and what follows: slots freed, trial ended, or run again.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/mix.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

constexpr absl::Duration kLongestBackoff = absl::Seconds(60);

int RetryBudget(const v1::RetryConfig& retry, v1::FailureClass failure_class) {
  switch (failure_class) {
    case v1::FAILURE_CLASS_INFRA:
      return retry.infra();
    case v1::FAILURE_CLASS_OUT_OF_MEMORY:
      return retry.out_of_memory();
    case v1::FAILURE_CLASS_DIVERGED:
      return retry.diverged();
    case v1::FAILURE_CLASS_USER_ERROR:
      return 0;
    case v1::FAILURE_CLASS_PREEMPTED:
      return std::numeric_limits<int>::max();
    default:
      return retry.unknown();
  }
}

// The delay before the `failed`th repetition: doubled each time, and spread over half of it, so
// that what failed together does not come back together. The spread follows from the trial.
absl::Duration Backoff(const v1::RetryConfig& retry, int failed, int64_t trial_id) {
  const absl::Duration most = std::min(
      kLongestBackoff, absl::Seconds(retry.backoff_s()) * std::pow(2.0, std::min(failed - 1, 10)));
  const uint64_t hash =
      Mix64((static_cast<uint64_t>(trial_id) << 8) + static_cast<uint64_t>(failed));
  return most * (0.5 + 0.5 * static_cast<double>(hash >> 11) * 0x1p-53);
}

// Why values cannot be a COMPLETE trial's (Optuna could not read the study any more), or nothing.
std::string WrongValues(const StudyRecord& study, const std::vector<double>& values) {
  const auto objectives = static_cast<size_t>(std::max(1, study.study.directions_size()));
  if (values.size() != objectives) {
    return absl::StrCat("the trainer gave ", values.size(), " values, the study has ", objectives,
                        objectives == 1 ? " objective" : " objectives");
  }
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    return "its value is not a number";
  }
  return "";
}

}  // namespace

void Core::SetAttemptState(AttemptRecord& attempt, v1::AttemptState state) {
  const v1::AttemptState from = attempt.attempt.state();
  if (!MayMove(from, state)) {
    VLM_LOG_ERROR("refused a move of an attempt", {{"attempt", attempt.attempt.attempt_id()},
                                                   {"from", ShortName(from)},
                                                   {"to", ShortName(state)}});
    return;
  }
  attempt.attempt.set_state(state);
  if (state == v1::ATTEMPT_STATE_RUNNING) {
    *attempt.attempt.mutable_start_time() = ToProto(now_.wall);
    attempt.running_since = now_.monotonic;
  }
  if (IsEnd(state)) {
    *attempt.attempt.mutable_end_time() = ToProto(now_.wall);
  }
  Put(attempt);
}

// The attempt and its slots; not what becomes of the trial. False: it may not end so.
bool Core::CloseAttempt(AttemptRecord& attempt, v1::AttemptState state,
                        v1::FailureClass failure_class, const std::string& reason) {
  if (!MayMove(attempt.attempt.state(), state)) {
    SetAttemptState(attempt, state);  // Says so in the log.
    return false;
  }
  attempt.attempt.set_failure_class(failure_class);
  attempt.attempt.set_reason(reason);
  SetAttemptState(attempt, state);
  TrialRecord& trial = TrialOf(attempt);
  state_.live.erase(attempt.attempt.attempt_id());
  trial.live_attempt = 0;
  --StudyOf(trial).live_attempts;
  StudyOf(trial).live_slots -= attempt.attempt.placements_size();
  MarkSlots(attempt, 0);
  for (const NodeRecord& node : attempt.nodes) {
    if (!node.finished) Fence(node.worker_id, attempt, absl::StrCat("the attempt ended: ", reason));
  }
  return true;
}

void Core::EndAttempt(AttemptRecord& attempt, v1::AttemptState state,
                      v1::FailureClass failure_class, const std::string& reason,
                      std::vector<double> values) {
  const v1::LogPolicy* policy = PolicyOf(StudyOf(TrialOf(attempt)), attempt.attempt);
  if (state == v1::ATTEMPT_STATE_FAILED && policy != nullptr &&
      policy->action() == v1::LogPolicy::ACTION_INFRA) {
    failure_class = v1::FAILURE_CLASS_INFRA;
  }
  if (!CloseAttempt(attempt, state, failure_class, reason)) return;
  TrialRecord& trial = TrialOf(attempt);
  StudyRecord& study = StudyOf(trial);
  switch (state) {
    case v1::ATTEMPT_STATE_SUCCEEDED:
      return EndSucceeded(study, trial, std::move(values));
    case v1::ATTEMPT_STATE_PRUNED:
      return EndTrial(trial, v1::TRIAL_STATE_PRUNED, LastValue(trial), reason);
    case v1::ATTEMPT_STATE_STOPPED:
      return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, reason);
    case v1::ATTEMPT_STATE_PREEMPTED:
      if (IsEnd(study.study.state())) {
        return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, study.study.reason());
      }
      return Requeue(study, trial, absl::ZeroDuration(), reason);
    default:
      return AfterFailure(study, trial, attempt);
  }
}

const v1::LogPolicy* Core::PolicyOf(const StudyRecord& study, const v1::Attempt& attempt) {
  if (attempt.log_policy().empty() || study.log_policies == nullptr) return nullptr;
  return study.log_policies->Find(attempt.log_policy());
}

void Core::EndSucceeded(StudyRecord& study, TrialRecord& trial, std::vector<double> values) {
  auto final_values = FinalValues(study, trial, std::move(values));
  if (!final_values.ok()) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, std::string(final_values.status().message()));
  }
  if (const std::string wrong = WrongValues(study, *final_values); !wrong.empty()) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, wrong);
  }
  EndTrial(trial, v1::TRIAL_STATE_COMPLETE, *std::move(final_values), "");
}

void Core::AfterFailure(StudyRecord& study, TrialRecord& trial, const AttemptRecord& attempt) {
  const v1::FailureClass failure_class = attempt.attempt.failure_class();
  const std::string& reason = attempt.attempt.reason();
  const int failed = ++trial.failures[failure_class];
  Emit(attempt.attempt.state() == v1::ATTEMPT_STATE_LOST ? "attempt.lost" : "attempt.failed",
       absl::StrCat("attempt ", attempt.attempt.number(), " of ", NameOf(study, trial), " ",
                    ShortName(attempt.attempt.state()), " (", ShortName(failure_class),
                    "): ", reason),
       &study, &trial);
  if (IsEnd(study.study.state())) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, study.study.reason());
  }
  if (attempt.command.action() == v1::Command::ACTION_STOP) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, attempt.command.reason());
  }
  if (const v1::LogPolicy* policy = PolicyOf(study, attempt.attempt);
      policy != nullptr && policy->action() == v1::LogPolicy::ACTION_FAIL) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {},
                    absl::StrCat(reason, " (no retry: the log policy \"", policy->pattern(),
                                 "\" matched \"", attempt.attempt.log_policy_line(), "\")"));
  }
  if (failed > RetryBudget(study.spec.retry(), failure_class)) {
    return EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, reason);
  }
  // A lost worker costs no wait: its slots are elsewhere. Other failures back off.
  absl::Duration delay = absl::ZeroDuration();
  if (attempt.attempt.state() != v1::ATTEMPT_STATE_LOST) {
    delay = Backoff(study.spec.retry(), failed, trial.trial.trial_id());
  }
  Requeue(study, trial, delay,
          absl::StrCat("attempt ", attempt.attempt.number(), " ended: ", reason));
}

void Core::Requeue(StudyRecord& study, TrialRecord& trial, absl::Duration delay,
                   const std::string& reason) {
  trial.not_before = now_.monotonic + delay;
  trial.trial.set_reason(reason);
  study.requeued.push_back(trial.trial.trial_id());
  Touch(trial);
}

void Core::ExpireLeases() {
  std::vector<AttemptRecord*> lost;
  for (auto& [id, attempt] : state_.live) {
    for (const NodeRecord& node : attempt->nodes) {
      if (!node.finished && node.lease_expiry <= now_.monotonic) {
        lost.push_back(attempt);
        break;
      }
    }
  }
  for (AttemptRecord* attempt : lost) {
    if (IsEnd(attempt->attempt.state())) continue;  // With the study that another one's loss ended.
    std::string who;
    for (const NodeRecord& node : attempt->nodes) {
      if (node.finished || node.lease_expiry > now_.monotonic) continue;
      attempt->attempt.set_failed_worker_id(node.worker_id);
      const auto it = state_.workers.find(node.worker_id);
      who = it == state_.workers.end() ? node.worker_id : it->second.worker.name();
    }
    EndAttempt(*attempt, v1::ATTEMPT_STATE_LOST, v1::FAILURE_CLASS_INFRA,
               absl::StrCat("worker ", who, " was not heard of in time"));
  }
}

}  // namespace vlm::core
