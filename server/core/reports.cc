// What trainers say: numbered batches, applied once.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

constexpr size_t kLogTail = 20;  // Lines kept in memory for `trial get`.
constexpr size_t kPolicyLine = 512;

}  // namespace

void Core::Handle(const ReportIn& input) {
  const v1::ReportBatch& batch = input.batch;
  v1::ReportAck ack;
  ack.set_attempt_id(batch.attempt_id());
  ack.set_epoch(batch.epoch());
  ack.set_node(batch.node());
  AttemptRecord* attempt = LiveAttempt(batch.attempt_id(), batch.epoch());
  if (attempt == nullptr) {
    // The node of an ended attempt that already delivered its end may send that again.
    const auto it = state_.attempts.find(batch.attempt_id());
    if (it != state_.attempts.end() && it->second->attempt.number() == batch.epoch() &&
        static_cast<size_t>(batch.node()) < it->second->nodes.size() &&
        batch.report().sequence() <=
            it->second->nodes[static_cast<size_t>(batch.node())].last_sequence) {
      ack.set_sequence(it->second->nodes[static_cast<size_t>(batch.node())].last_sequence);
    } else {
      ack.set_fenced(true);
    }
    out_->effects.push_back(Ack{input.stream, std::move(ack)});
    return;
  }
  if (batch.node() < 0 || static_cast<size_t>(batch.node()) >= attempt->nodes.size() ||
      attempt->nodes[static_cast<size_t>(batch.node())].worker_id != batch.worker_id()) {
    ack.set_fenced(true);
    out_->effects.push_back(Ack{input.stream, std::move(ack)});
    return;
  }
  NodeRecord& node = attempt->nodes[static_cast<size_t>(batch.node())];
  // A batch out of order (a gap) is not applied; the ack tells the sender where to go on.
  if (batch.report().sequence() == node.last_sequence + 1) {
    node.last_sequence = batch.report().sequence();
    ack.set_sequence(node.last_sequence);
    ApplyBatch(*attempt, node, batch.node(), batch);
  } else {
    ack.set_sequence(node.last_sequence);
  }
  out_->effects.push_back(Ack{input.stream, std::move(ack)});
}

void Core::ApplyBatch(AttemptRecord& attempt, NodeRecord& node, int32_t node_index,
                      const v1::ReportBatch& batch) {
  TrialRecord& trial = TrialOf(attempt);
  node.lease_expiry = std::max(node.lease_expiry, now_.monotonic + options_.lease);
  // A trainer that ends before it could report a step still ran; a start that failed did not.
  const bool failed_start =
      batch.report().has_outcome() && batch.report().outcome().state() == v1::ATTEMPT_STATE_FAILED;
  if (node_index == 0 && attempt.attempt.state() == v1::ATTEMPT_STATE_RENDEZVOUS && !failed_start) {
    SetAttemptState(attempt, v1::ATTEMPT_STATE_RUNNING);
  }
  ApplyReport apply{trial.trial.study_id(),
                    trial.trial.trial_id(),
                    attempt.attempt.attempt_id(),
                    attempt.attempt.number(),
                    node_index,
                    trial.last_log_sequence + 1,
                    batch.report()};
  TakeLogs(trial, attempt, apply.report);
  TakeCheckpoints(trial, attempt, batch.worker_id(), apply.report);
  if (node_index == 0) TakePoints(trial, attempt, apply.report);
  out_->batch.push_back(apply);
  if (node_index == 0) TakeValidations(trial, attempt, apply.report);
  if (apply.report.has_outcome()) {
    TakeOutcome(attempt, node, apply.report.outcome());
  } else {
    EmitProgress(trial);
  }
}

void Core::TakePoints(TrialRecord& trial, AttemptRecord& attempt, const v1::Report& report) {
  if (report.last_step() > 0) {
    trial.trial.set_last_step(report.last_step());
    attempt.attempt.set_last_step(report.last_step());
  }
  if (report.total_steps() > 0) trial.trial.set_total_steps(report.total_steps());
  for (const v1::Series& series : report.series()) {
    if (series.points_size() == 0) continue;
    (*trial.trial.mutable_last_points())[series.name()] = series.points().rbegin()->value();
  }
}

// One after the other, so that the pruner sees what it would have seen had each come alone.
void Core::TakeValidations(TrialRecord& trial, AttemptRecord& attempt, const v1::Report& report) {
  StudyRecord& study = StudyOf(trial);
  if (report.series_size() > 0) StoreLastPoints(study, trial);
  for (const v1::IntermediateValue& v : report.validations()) {
    if (v.step() < 0) continue;
    if (study.spec.metrics().empty()) {
      AddIntermediate(trial, v.step(), v.value());
    } else {
      AddObjectives(trial, v.step(), ObjectiveValues(study, trial, v.value()));
    }
    RefreshView(study, trial, true);
    JudgePruning(study, trial, attempt);
  }
}

// The first line that a policy matches is remembered with the attempt, for its end.
void Core::JudgeLine(TrialRecord& trial, AttemptRecord& attempt, const std::string& line) {
  const StudyRecord& study = StudyOf(trial);
  if (study.log_policies == nullptr || !attempt.attempt.log_policy().empty()) return;
  const v1::LogPolicy* policy = study.log_policies->Match(line);
  if (policy == nullptr) return;
  attempt.attempt.set_log_policy(policy->pattern());
  attempt.attempt.set_log_policy_line(line.substr(0, kPolicyLine));
  Put(attempt);
}

void Core::TakeLogs(TrialRecord& trial, AttemptRecord& attempt, v1::Report& report) {
  if (report.log_lines_size() == 0) return;
  PublishLog publish{trial.trial.trial_id(), {}, false};
  for (v1::LogLine& line : *report.mutable_log_lines()) {
    line.set_sequence(++trial.last_log_sequence);
    line.set_attempt(attempt.attempt.number());
    JudgeLine(trial, attempt, line.text());
    trial.log_tail.push_back(line);
    if (trial.log_tail.size() > kLogTail) trial.log_tail.pop_front();
    publish.lines.push_back(line);
  }
  out_->effects.push_back(std::move(publish));
}

void Core::TakeCheckpoints(TrialRecord& trial, const AttemptRecord& attempt,
                           const std::string& worker_id, const v1::Report& report) {
  for (v1::Checkpoint checkpoint : report.checkpoints()) {
    checkpoint.set_trial_id(trial.trial.trial_id());
    checkpoint.set_attempt_id(attempt.attempt.attempt_id());
    checkpoint.set_checkpoint_id(
        absl::StrCat("ckpt-", checkpoint.attempt_id(), "-", checkpoint.step()));
    if (checkpoint.worker_id().empty()) checkpoint.set_worker_id(worker_id);
    if (!checkpoint.has_create_time()) {
      *checkpoint.mutable_create_time() = ToProto(now_.wall);
    }
    Register(trial, std::move(checkpoint));
  }
}

void Core::Register(TrialRecord& trial, v1::Checkpoint checkpoint) {
  const std::string id = checkpoint.checkpoint_id();
  // What the coordinator holds itself is not replaced by the notice of the worker's copy.
  if (const auto it = state_.checkpoints.find(id);
      it != state_.checkpoints.end() && it->second.sha256() == checkpoint.sha256() &&
      absl::StartsWith(it->second.uri(), "coordinator:")) {
    checkpoint.set_uri(it->second.uri());
  }
  auto& ids = state_.trial_checkpoints[trial.trial.trial_id()];
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  out_->batch.push_back(PutCheckpoint{checkpoint});
  *trial.trial.mutable_checkpoint() = checkpoint;
  state_.checkpoints[id] = std::move(checkpoint);
  DropOldCheckpoints(trial);
}

void Core::DropOldCheckpoints(TrialRecord& trial) {
  const StudyRecord& study = StudyOf(trial);
  const auto keep = static_cast<size_t>(std::max(1, study.spec.train().checkpoint().keep()));
  auto& ids = state_.trial_checkpoints[trial.trial.trial_id()];
  while (ids.size() > keep) {
    out_->batch.push_back(DeleteCheckpoint{ids.front()});
    out_->effects.push_back(DropCheckpointFile{ids.front()});
    state_.checkpoints.erase(ids.front());
    ids.erase(ids.begin());
  }
}

// The upload of a live attempt's file; its report will name it again, which changes nothing.
Core::Result Core::StoreCheckpoint(const CheckpointStored& stored) {
  AttemptRecord* attempt = LiveAttempt(stored.checkpoint.attempt_id(), stored.epoch);
  if (attempt == nullptr) {
    out_->effects.push_back(DropCheckpointFile{stored.checkpoint.checkpoint_id()});
    return absl::FailedPreconditionError(
        absl::StrCat("attempt ", stored.checkpoint.attempt_id(), " no longer holds its lease"));
  }
  TrialRecord& trial = TrialOf(*attempt);
  v1::Checkpoint checkpoint = stored.checkpoint;
  checkpoint.set_trial_id(trial.trial.trial_id());
  checkpoint.set_worker_id(stored.worker_id);
  *checkpoint.mutable_create_time() = ToProto(now_.wall);
  Register(trial, checkpoint);
  auto response = std::make_shared<v1::UploadCheckpointResponse>();
  *response->mutable_checkpoint() = checkpoint;
  response->set_stored_bytes(checkpoint.size_bytes());
  return response;
}

void Core::StoreAttribute(TrialRecord& trial, const std::string& key, const std::string& json) {
  (*trial.trial.mutable_system_attributes())[key] = json;
  out_->batch.push_back(PutTrialAttribute{trial.trial.trial_id(), false, key, json});
}

// Asks the pruner, and has stored what the decision wants to be remembered.
bool Core::WantsPrune(StudyRecord& study, TrialRecord& trial) {
  if (study.pruner == nullptr) return false;
  search::StudyView view;
  view.name = study.study.name();
  for (int d : study.study.directions()) view.directions.push_back(static_cast<v1::Direction>(d));
  view.trials = &study.views;
  view.reports = &study.reports;
  const search::PruneDecision decision = study.pruner->Judge(view, trial.trial.number());
  for (const auto& [key, json] : decision.attributes) StoreAttribute(trial, key, json);
  if (!decision.attributes.empty()) RefreshView(study, trial, true);
  return decision.prune;
}

void Core::JudgePruning(StudyRecord& study, TrialRecord& trial, AttemptRecord& attempt) {
  if (attempt.command.action() != v1::Command::ACTION_UNSPECIFIED) return;
  // Asked at the last step too: what the trial leaves at a rung is a measure for others.
  if (!WantsPrune(study, trial)) return;
  // A trial that has trained to its end has nothing left to prune.
  if (trial.trial.total_steps() > 0 && trial.trial.last_step() >= trial.trial.total_steps()) return;
  std::string why = absl::StrCat(study.spec.pruner().name(), " pruner");
  if (study.study.directions_size() > 1) {
    absl::StrAppend(&why, ": behind at step ", trial.trial.last_step());
  } else {
    const v1::IntermediateValue& last = *trial.trial.intermediate_values().rbegin();
    absl::StrAppend(&why, ": ", study.study.metric(), " ", last.value(), " at step ", last.step());
  }
  Command(attempt, v1::Command::ACTION_PRUNE, why);
}

// The bytes of a stored checkpoint are no longer what they were: no attempt starts from it again.
void Core::Forget(const CheckpointDamaged& damaged) {
  const auto it = state_.checkpoints.find(damaged.checkpoint_id);
  if (it == state_.checkpoints.end()) return;
  const int64_t trial_id = it->second.trial_id();
  auto& ids = state_.trial_checkpoints[trial_id];
  std::erase(ids, damaged.checkpoint_id);
  state_.checkpoints.erase(it);
  out_->batch.push_back(DeleteCheckpoint{damaged.checkpoint_id});
  out_->effects.push_back(DropCheckpointFile{damaged.checkpoint_id});
  TrialRecord& trial = state_.trials.at(trial_id);
  trial.trial.clear_checkpoint();
  if (!ids.empty()) *trial.trial.mutable_checkpoint() = state_.checkpoints.at(ids.back());
  Emit("checkpoint.damaged",
       absl::StrCat("checkpoint ", damaged.checkpoint_id, " is damaged and no longer used"),
       &StudyOf(trial), &trial);
}

void Core::TakeOutcome(AttemptRecord& attempt, NodeRecord& node, const v1::Outcome& outcome) {
  node.finished = true;
  node.outcome = outcome;
  if (outcome.exit_code() != 0) attempt.attempt.set_exit_code(outcome.exit_code());
  if (outcome.signal() != 0) attempt.attempt.set_signal(outcome.signal());
  if (outcome.state() == v1::ATTEMPT_STATE_FAILED) {
    attempt.attempt.set_failed_worker_id(node.worker_id);
    const bool known = outcome.failure_class() != v1::FAILURE_CLASS_UNSPECIFIED &&
                       v1::FailureClass_IsValid(outcome.failure_class());
    return EndAttempt(attempt, v1::ATTEMPT_STATE_FAILED,
                      known ? outcome.failure_class() : v1::FAILURE_CLASS_UNKNOWN,
                      outcome.reason());
  }
  const bool all = std::all_of(attempt.nodes.begin(), attempt.nodes.end(),
                               [](const NodeRecord& n) { return n.finished; });
  if (!all) return;
  const v1::Outcome& first = attempt.nodes.front().outcome;
  const bool sensible = first.state() != v1::ATTEMPT_STATE_LOST && IsEnd(first.state()) &&
                        MayMove(attempt.attempt.state(), first.state());
  if (!sensible) {
    return EndAttempt(attempt, v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_UNKNOWN,
                      absl::StrCat("the worker reported the end ", ShortName(first.state()),
                                   " of an attempt that was ", ShortName(attempt.attempt.state())));
  }
  EndAttempt(attempt, first.state(), v1::FAILURE_CLASS_UNSPECIFIED, first.reason(),
             {first.values().begin(), first.values().end()});
}

}  // namespace vlm::core
