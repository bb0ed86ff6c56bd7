// What a restarted heart takes up again: studies, attempts with their leases, and checkpoints.
// Trials are in restore_trials.cc.
#include <algorithm>

#include "server/core/core.h"

namespace vlm::core {

void Core::Restore(Snapshot snapshot) {
  RestoreStudies(snapshot);
  RestoreTrials(snapshot);
}

void Core::RestoreStudies(Snapshot& snapshot) {
  state_.last_study_id = snapshot.last_study_id;
  state_.last_trial_id = snapshot.last_trial_id;
  state_.last_attempt_id = snapshot.last_attempt_id;
  state_.last_event_sequence = snapshot.last_event_sequence;
  for (auto& row : snapshot.studies) {
    StudyRecord& study = state_.studies[row.study.study_id()];
    study.study = std::move(row.study);
    study.study.clear_counts();
    study.study.clear_best_value();  // Its trials say what it is.
    study.spec = std::move(row.spec);
    study.sampler_state = std::move(row.sampler_state);
    study.user_attributes = std::move(row.user_attributes);
    study.system_attributes = std::move(row.system_attributes);
    absl::Time first;
    std::string error;
    if (absl::ParseTime(absl::RFC3339_full, row.first_attempt_time, &first, &error)) {
      study.first_attempt = first;
    }
    if (study.spec.has_train()) (void)Equip(study);
    state_.study_names[study.study.name()] = study.study.study_id();
  }
  for (const ParamKindRow& row : snapshot.param_kinds) {
    const auto study = state_.studies.find(row.study_id);
    if (study == state_.studies.end()) continue;
    auto& kinds = study->second.kinds;
    if (kinds.size() <= row.slot) kinds.resize(row.slot + 1);
    kinds[row.slot] = search::InternKind(row.name, row.distribution);
  }
  for (v1::WholeStudy& summary : snapshot.deleted) {
    DeletedStudy& deleted = state_.deleted[summary.study().study_id()];
    for (const v1::Checkpoint& checkpoint : summary.checkpoints()) {
      deleted.checkpoint_ids.push_back(checkpoint.checkpoint_id());
    }
    deleted.study = std::move(*summary.mutable_study());
  }
  for (v1::Worker& worker : snapshot.workers) {
    WorkerRecord& record = state_.workers[worker.worker_id()];
    record.worker = std::move(worker);
    record.worker.set_state(v1::WORKER_STATE_LOST);
    record.worker.set_reason("the coordinator was restarted; the worker has not come back yet");
  }
  for (PutRequest& request : snapshot.requests) {
    state_.request_ages.emplace_back(now_.wall, request.request_id);
    state_.requests[request.request_id] = std::move(request);
  }
}

void Core::RestoreAttempts(Snapshot& snapshot) {
  for (PutAttempt& row : snapshot.attempts) {
    auto record = std::make_unique<AttemptRecord>();
    record->attempt = std::move(row.attempt);
    record->command = std::move(row.command);
    record->rendezvous_host = std::move(row.rendezvous_host);
    record->rendezvous_port = row.rendezvous_port;
    record->running_since = now_.monotonic;
    if (!state_.trials.contains(record->attempt.trial_id())) continue;  // Removed by others.
    TrialRun& run = state_.trials.RunOf(record->attempt.trial_id());
    run.attempt_ids.push_back(record->attempt.attempt_id());
    if (record->attempt.state() == v1::ATTEMPT_STATE_FAILED ||
        record->attempt.state() == v1::ATTEMPT_STATE_LOST) {
      ++run.failures[record->attempt.failure_class()];
    }
    if (!IsEnd(record->attempt.state())) {
      for (const v1::RankPlacement& p : record->attempt.placements()) {
        if (record->nodes.empty() || record->nodes.back().worker_id != p.worker_id()) {
          record->nodes.emplace_back();
          record->nodes.back().worker_id = p.worker_id();
          record->nodes.back().lease_expiry =
              now_.monotonic + options_.lease + options_.restart_grace;
          record->nodes.back().accepted = record->attempt.state() >= v1::ATTEMPT_STATE_RENDEZVOUS;
        }
        record->nodes.back().ranks.push_back(p.rank());
        record->nodes.back().slots.push_back(p.slot());
      }
      TrialRecord& trial = TrialOf(*record);
      trial.live_attempt = record->attempt.attempt_id();
      ++StudyOf(trial).live_attempts;
      StudyOf(trial).live_slots += record->attempt.placements_size();
      state_.live[trial.live_attempt] = record.get();
    }
    state_.attempts[record->attempt.attempt_id()] = std::move(record);
  }
  for (const auto& mark : snapshot.report_marks) {
    const auto found = state_.live.find(mark.attempt_id);
    if (found == state_.live.end()) continue;
    if (static_cast<size_t>(mark.node) >= found->second->nodes.size()) continue;
    NodeRecord& node = found->second->nodes[static_cast<size_t>(mark.node)];
    node.last_sequence = mark.sequence;
    node.finished = mark.finished;
    node.outcome = mark.outcome;
    if (mark.node != 0) continue;
    TrialRecord& trial = TrialOf(*found->second);
    if (mark.last_step > 0) {
      found->second->attempt.set_last_step(mark.last_step);
      trial.trial.set_last_step(mark.last_step);
    }
    if (mark.total_steps > 0) trial.trial.set_total_steps(mark.total_steps);
  }
  for (const auto& [trial_id, sequence] : snapshot.log_marks) {
    if (state_.trials.contains(trial_id))
      state_.trials.RunOf(trial_id).last_log_sequence = sequence;
  }
}

void Core::RestoreCheckpoints(Snapshot& snapshot) {
  std::sort(
      snapshot.checkpoints.begin(), snapshot.checkpoints.end(), [](const auto& a, const auto& b) {
        return std::make_pair(a.attempt_id(), a.step()) < std::make_pair(b.attempt_id(), b.step());
      });
  for (v1::Checkpoint& checkpoint : snapshot.checkpoints) {
    TrialRecord* trial = state_.trials.find(checkpoint.trial_id());
    if (trial == nullptr) continue;
    *trial->trial.mutable_checkpoint() = checkpoint;
    state_.trial_checkpoints[checkpoint.trial_id()].push_back(checkpoint.checkpoint_id());
    state_.checkpoints[checkpoint.checkpoint_id()] = std::move(checkpoint);
  }
}

}  // namespace vlm::core
