#include "tests/core/fake_store.h"

#include <algorithm>

#include "server/core/attempt_state.h"

namespace vlm::core {

void FakeStore::Put(const PutStudy& m) {
  Snapshot::StudyRow& row = studies_[m.study.study_id()];
  row.study = m.study;
  row.spec = m.spec;
  row.first_attempt_time = m.first_attempt_time;
  last_study_ = std::max(last_study_, m.study.study_id());
}

void FakeStore::Put(const PutStudyAttribute& m) {
  Snapshot::StudyRow& row = studies_[m.study_id];
  (m.user ? row.user_attributes : row.system_attributes)[m.key] = m.value;
}

void FakeStore::Put(const PutTrialAttribute& m) {
  v1::Trial& trial = trials_[m.trial_id];
  (m.user ? *trial.mutable_user_attributes() : *trial.mutable_system_attributes())[m.key] = m.value;
}

void FakeStore::Put(const DeleteStudy& m) {
  studies_.erase(m.study_id);
  std::erase_if(trials_, [&](const auto& t) { return t.second.study_id() == m.study_id; });
  std::erase_if(attempts_,
                [&](const auto& a) { return a.second.attempt.study_id() == m.study_id; });
  std::erase_if(checkpoints_, [&](const auto& c) { return !has_trial(c.second.trial_id()); });
}

void FakeStore::Put(const PutTrial& m) {
  v1::Trial& trial = trials_[m.trial.trial_id()];
  trial = m.trial;
  trial.clear_intermediate_values();
  trial.clear_checkpoint();
  last_trial_ = std::max(last_trial_, m.trial.trial_id());
}

void FakeStore::Put(const PutIntermediateValue& m) {
  const auto [at, added] = values_[m.trial_id].emplace(m.step, m.value);
  if (!added && m.replace) at->second = m.value;
}

void FakeStore::Put(const PutAttempt& m) {
  attempts_[m.attempt.attempt_id()] = m;
  last_attempt_ = std::max(last_attempt_, m.attempt.attempt_id());
}

void FakeStore::Put(const ApplyReport& m) {
  applied_[{m.attempt_id, m.node}].push_back(m.report.sequence());
  Snapshot::ReportMark& mark = marks_[{m.attempt_id, m.node}];
  mark.attempt_id = m.attempt_id;
  mark.node = m.node;
  mark.sequence = m.report.sequence();
  mark.last_step = std::max(mark.last_step, m.report.last_step());
  mark.total_steps = std::max(mark.total_steps, m.report.total_steps());
  mark.finished = m.report.has_outcome();
  mark.outcome = m.report.outcome();
  log_marks_[m.trial_id] = m.first_log_sequence + m.report.log_lines_size() - 1;
}

Snapshot FakeStore::Load() const {
  Snapshot out;
  for (const auto& [id, row] : studies_) out.studies.push_back(row);
  for (const auto& [id, trial] : trials_) {
    v1::Trial& copy = out.trials.emplace_back(trial);
    const auto values = values_.find(id);
    if (values == values_.end()) continue;
    for (const auto& [step, value] : values->second) {
      copy.add_intermediate_values()->set_step(step);
      copy.mutable_intermediate_values()->rbegin()->set_value(value);
    }
  }
  for (const auto& [id, attempt] : attempts_) out.attempts.push_back(attempt);
  for (const auto& [key, mark] : marks_) {
    const auto attempt = attempts_.find(key.first);
    if (attempt != attempts_.end() && !IsEnd(attempt->second.attempt.state())) {
      out.report_marks.push_back(mark);
    }
  }
  for (const auto& [id, whole] : deleted_) out.deleted.push_back(whole);
  for (const auto& [id, worker] : workers_) out.workers.push_back(worker);
  for (const auto& [id, checkpoint] : checkpoints_) out.checkpoints.push_back(checkpoint);
  for (const auto& [id, request] : requests_) out.requests.push_back(request);
  for (const auto& [id, sequence] : log_marks_) out.log_marks.emplace_back(id, sequence);
  out.last_study_id = last_study_;
  out.last_trial_id = last_trial_;
  out.last_attempt_id = last_attempt_;
  out.last_event_sequence = events_.empty() ? 0 : events_.back().sequence();
  return out;
}

}  // namespace vlm::core
