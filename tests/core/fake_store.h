// A store in memory: applies the heart's batches and gives back what a restarted coordinator would
// load. Mirrors server/storage, which tests/storage checks against real files.
#pragma once

#include <map>
#include <set>

#include "server/core/mutation.h"

namespace vlm::core {

class FakeStore {
 public:
  void Apply(const Batch& batch) {
    for (const Mutation& mutation : batch) {
      std::visit([this](const auto& m) { Put(m); }, mutation);
    }
  }
  Snapshot Load() const;

  const v1::Trial& trial(int64_t id) const { return trials_.at(id); }
  bool has_trial(int64_t id) const { return trials_.count(id) != 0; }
  // Sequence numbers of the batches of (attempt, node), in the order in which they were applied.
  const std::vector<int64_t>& applied(int64_t attempt_id, int32_t node) const {
    static const std::vector<int64_t> none;
    const auto it = applied_.find({attempt_id, node});
    return it == applied_.end() ? none : it->second;
  }
  const std::map<int64_t, v1::WholeStudy>& deleted() const { return deleted_; }
  const std::vector<v1::Event>& events() const { return events_; }
  const std::map<std::string, v1::Checkpoint>& checkpoints() const { return checkpoints_; }

 private:
  using NodeKey = std::pair<int64_t, int32_t>;
  void Put(const PutStudy& m);
  void Put(const PutStudyAttribute& m);
  void Put(const DeleteStudy& m);
  void Put(const PutTrial& m);
  void Put(const PutTrialParam& m) { *trials_[m.trial_id].add_params() = m.param; }
  void Put(const PutTrialAttribute& m);
  void Put(const PutIntermediateValue& m);
  void Put(const PutAttempt& m);
  void Put(const ApplyReport& m);
  void Put(const PutWorker& m) { workers_[m.worker.worker_id()] = m.worker; }
  void Put(const DropWorker& m) { workers_.erase(m.worker_id); }
  void Put(const PutCheckpoint& m) { checkpoints_[m.checkpoint.checkpoint_id()] = m.checkpoint; }
  void Put(const DeleteCheckpoint& m) { checkpoints_.erase(m.checkpoint_id); }
  void Put(const AppendEvent& m) { events_.push_back(m.event); }
  void Put(const PutRequest& m) { requests_[m.request_id] = m; }
  void Put(const PutSamplerState& m) { studies_[m.study_id].sampler_state = m.state; }
  void Put(const PutSpec& m) { studies_[m.study_id].spec = m.spec; }
  void Put(const PutDeletedStudy& m) { deleted_[m.whole.study().study_id()] = m.whole; }
  void Put(const DropDeletedStudy& m) { deleted_.erase(m.study_id); }

  std::map<int64_t, Snapshot::StudyRow> studies_;
  std::map<int64_t, v1::WholeStudy> deleted_;
  std::map<int64_t, v1::Trial> trials_;
  std::map<int64_t, std::map<int64_t, double>> values_;
  std::map<int64_t, PutAttempt> attempts_;
  std::map<NodeKey, Snapshot::ReportMark> marks_;
  std::map<NodeKey, std::vector<int64_t>> applied_;
  std::map<std::string, v1::Worker> workers_;
  std::map<std::string, v1::Checkpoint> checkpoints_;
  std::map<std::string, PutRequest> requests_;
  std::vector<v1::Event> events_;
  std::map<int64_t, int64_t> log_marks_;
  int64_t last_study_ = 0;
  int64_t last_trial_ = 0;
  int64_t last_attempt_ = 0;
};

}  // namespace vlm::core
