// What a restarted heart takes up again: attempts with their leases, and checkpoints.
#include <algorithm>

#include "server/core/core.h"

namespace vlm::core {

void Core::RestoreAttempts(Snapshot& snapshot) {
  for (PutAttempt& row : snapshot.attempts) {
    auto record = std::make_unique<AttemptRecord>();
    record->attempt = std::move(row.attempt);
    record->command = std::move(row.command);
    record->rendezvous_host = std::move(row.rendezvous_host);
    record->rendezvous_port = row.rendezvous_port;
    if (!state_.trials.contains(record->attempt.trial_id())) continue;  // Removed by others.
    TrialRecord& trial = TrialOf(*record);
    trial.attempt_ids.push_back(record->attempt.attempt_id());
    if (record->attempt.state() == v1::ATTEMPT_STATE_FAILED ||
        record->attempt.state() == v1::ATTEMPT_STATE_LOST) {
      ++trial.failures[record->attempt.failure_class()];
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
      trial.live_attempt = record->attempt.attempt_id();
      ++StudyOf(trial).live_attempts;
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
    const auto found = state_.trials.find(trial_id);
    if (found != state_.trials.end()) found->second->last_log_sequence = sequence;
  }
}

void Core::RestoreCheckpoints(Snapshot& snapshot) {
  std::sort(
      snapshot.checkpoints.begin(), snapshot.checkpoints.end(), [](const auto& a, const auto& b) {
        return std::make_pair(a.attempt_id(), a.step()) < std::make_pair(b.attempt_id(), b.step());
      });
  for (v1::Checkpoint& checkpoint : snapshot.checkpoints) {
    const auto found = state_.trials.find(checkpoint.trial_id());
    if (found == state_.trials.end()) continue;
    *found->second->trial.mutable_checkpoint() = checkpoint;
    state_.trial_checkpoints[checkpoint.trial_id()].push_back(checkpoint.checkpoint_id());
    state_.checkpoints[checkpoint.checkpoint_id()] = std::move(checkpoint);
  }
}

}  // namespace vlm::core
