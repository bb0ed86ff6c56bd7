// Placement: which trial runs next and where. A gang is placed whole or not at all.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "server/core/core.h"

namespace vlm::core {

// Studies take turns by how much they already run, so that none starves; ties by age.
void Core::Schedule() {
  std::vector<StudyRecord*> order;
  for (auto& [id, study] : state_.studies) {
    if (study.study.state() == v1::STUDY_STATE_ACTIVE && study.spec.has_train()) {
      order.push_back(&study);
    }
  }
  bool granted = true;
  while (granted) {
    granted = false;
    std::stable_sort(order.begin(), order.end(),
                     [](auto* a, auto* b) { return a->live_attempts < b->live_attempts; });
    for (StudyRecord* study : order) {
      PumpAsks(*study);
      if (study->study.state() != v1::STUDY_STATE_ACTIVE) continue;
      if (ScheduleStudy(*study)) {
        granted = true;
        break;
      }
    }
  }
}

// True when an attempt was granted.
bool Core::ScheduleStudy(StudyRecord& study) {
  if (study.study.parallelism() > 0 && study.live_attempts >= study.study.parallelism()) {
    return false;
  }
  if (TimedOut(study)) return false;
  const auto due = std::find_if(study.requeued.begin(), study.requeued.end(), [&](int64_t id) {
    return state_.trials.at(id).not_before <= now_.monotonic;
  });
  if (!BudgetLeft(study)) study.held.clear();  // Enqueued trials have used it up meanwhile.
  const bool fresh = BudgetLeft(study) || !study.waiting.empty();
  if (due == study.requeued.end() && !fresh) return false;
  auto nodes = Place(study.spec.train().resources(), study.spec.train().cuda_enabled());
  if (!nodes.ok()) {
    SetWaitReason(study, std::string(nodes.status().message()));
    return false;
  }
  SetWaitReason(study, "");
  if (due != study.requeued.end()) {
    TrialRecord& trial = state_.trials.at(*due);
    study.requeued.erase(due);
    Grant(study, trial, *std::move(nodes));
    return true;
  }
  if (!study.held.empty()) {
    Grant(study, NewTrial(study, v1::TRIAL_STATE_RUNNING, TakeHeld(study)), *std::move(nodes));
    return true;
  }
  if (study.question_open) return false;
  study.question_for_ask = false;
  if (!study.waiting.empty()) {
    AskForWaiting(study);
  } else {
    AskSampler(study, 1);
  }
  return false;
}

// Why an ACTIVE study does not get on; for eyes only, stored with the next real change.
void Core::SetWaitReason(StudyRecord& study, const std::string& reason) {
  study.study.set_reason(study.live_attempts > 0 ? "" : reason);
}

absl::StatusOr<std::vector<NodeRecord>> Core::Place(const v1::ResourcesConfig& resources,
                                                    bool cuda_enabled) const {
  const int world = std::max(1, resources.world_size());
  struct Free {
    const WorkerRecord* worker;
    std::vector<int32_t> slots;
  };
  std::string why = "no worker is attached";
  std::vector<v1::SlotKind> kinds;
  if (resources.device() != v1::DEVICE_KIND_CPU && cuda_enabled) {
    kinds.push_back(v1::SLOT_KIND_GPU);
  }
  if (resources.device() != v1::DEVICE_KIND_CUDA) kinds.push_back(v1::SLOT_KIND_CPU);
  for (v1::SlotKind kind : kinds) {
    std::vector<Free> frees;
    int total = 0;
    int existing = 0;
    for (const auto& [id, worker] : state_.workers) {
      if (worker.worker.state() != v1::WORKER_STATE_ATTACHED) continue;
      Free free{&worker, {}};
      for (const v1::Slot& slot : worker.worker.slots()) {
        if (slot.kind() != kind) continue;
        ++existing;
        const bool room = resources.slots_per_node() <= 0 ||
                          static_cast<int>(free.slots.size()) < resources.slots_per_node();
        if (slot.attempt_id() == 0 && room) free.slots.push_back(slot.index());
      }
      total += static_cast<int>(free.slots.size());
      if (!free.slots.empty()) frees.push_back(std::move(free));
    }
    if (existing > 0) {
      why = absl::StrCat("waits for slots: needs ", world, ", ", total, " of ", existing,
                         " are free");
    }
    if (total < world) continue;
    // One worker that is just large enough beats several; of several the largest go first.
    std::stable_sort(frees.begin(), frees.end(), [world](const Free& a, const Free& b) {
      const bool fits_a = a.slots.size() >= static_cast<size_t>(world);
      const bool fits_b = b.slots.size() >= static_cast<size_t>(world);
      if (fits_a != fits_b) return fits_a;
      return fits_a ? a.slots.size() < b.slots.size() : a.slots.size() > b.slots.size();
    });
    std::vector<NodeRecord> nodes;
    int rank = 0;
    for (const Free& free : frees) {
      if (rank == world) break;
      NodeRecord& node = nodes.emplace_back();
      node.worker_id = free.worker->worker.worker_id();
      for (int32_t slot : free.slots) {
        if (rank == world) break;
        node.ranks.push_back(rank++);
        node.slots.push_back(slot);
      }
    }
    return nodes;
  }
  return absl::ResourceExhaustedError(why);
}

void Core::MarkSlots(const AttemptRecord& attempt, int64_t holder) {
  for (const NodeRecord& node : attempt.nodes) {
    const auto it = state_.workers.find(node.worker_id);
    if (it == state_.workers.end()) continue;
    for (v1::Slot& slot : *it->second.worker.mutable_slots()) {
      const bool ours =
          std::find(node.slots.begin(), node.slots.end(), slot.index()) != node.slots.end();
      if (!ours) continue;
      if (holder != 0 || slot.attempt_id() == attempt.attempt.attempt_id()) {
        slot.set_attempt_id(holder);
      }
    }
  }
}

void Core::Grant(StudyRecord& study, TrialRecord& trial, std::vector<NodeRecord> nodes) {
  auto record = std::make_unique<AttemptRecord>();
  record->nodes = std::move(nodes);
  v1::Attempt& attempt = record->attempt;
  attempt.set_attempt_id(++state_.last_attempt_id);
  attempt.set_trial_id(trial.trial.trial_id());
  attempt.set_study_id(trial.trial.study_id());
  attempt.set_number(static_cast<int32_t>(trial.attempt_ids.size()) + 1);
  attempt.set_last_step(-1);
  *attempt.mutable_create_time() = ToProto(now_.wall);
  if (trial.trial.has_checkpoint()) {
    attempt.set_resumed_from(trial.trial.checkpoint().checkpoint_id());
  }
  for (NodeRecord& node : record->nodes) {
    node.lease_expiry = now_.monotonic + options_.lease;
    for (size_t i = 0; i < node.ranks.size(); ++i) {
      v1::RankPlacement& placement = *attempt.add_placements();
      placement.set_rank(node.ranks[i]);
      placement.set_worker_id(node.worker_id);
      placement.set_slot(node.slots[i]);
    }
  }
  AttemptRecord& kept = *record;
  state_.attempts[attempt.attempt_id()] = std::move(record);
  state_.live[kept.attempt.attempt_id()] = &kept;
  SetAttemptState(kept, v1::ATTEMPT_STATE_OFFERED);
  trial.attempt_ids.push_back(kept.attempt.attempt_id());
  trial.live_attempt = kept.attempt.attempt_id();
  trial.trial.set_reason("");
  ++study.live_attempts;
  if (study.first_attempt == absl::InfinitePast()) {
    study.first_attempt = now_.wall;
    Put(study);
  }
  MarkSlots(kept, kept.attempt.attempt_id());
  Emit("trial.started",
       absl::StrCat("trial ", NameOf(study, trial), " starts, attempt ", kept.attempt.number()),
       &study, &trial);
  for (size_t node = 0; node < kept.nodes.size(); ++node) {
    v1::CoordinatorMessage message;
    *message.mutable_offer() = MakeOffer(study, trial, kept, node);
    PushTo(kept.nodes[node].worker_id, std::move(message));
  }
}

v1::Offer Core::MakeOffer(const StudyRecord& study, const TrialRecord& trial,
                          const AttemptRecord& attempt, size_t node) const {
  v1::Offer offer;
  offer.set_attempt_id(attempt.attempt.attempt_id());
  offer.set_trial_id(trial.trial.trial_id());
  offer.set_trial_number(trial.trial.number());
  offer.set_epoch(attempt.attempt.number());
  offer.set_study_name(study.study.name());
  *offer.mutable_config() = study.spec.train();
  // The values were checked against the space they were drawn from; a refusal would be the
  // trainer's to report.
  (void)config::ApplyParams(trial.trial.params(), offer.mutable_config());
  for (int32_t rank : attempt.nodes[node].ranks) offer.add_ranks(rank);
  for (int32_t slot : attempt.nodes[node].slots) offer.add_slots(slot);
  offer.set_world_size(attempt.attempt.placements_size());
  offer.set_node(static_cast<int32_t>(node));
  offer.set_node_count(static_cast<int32_t>(attempt.nodes.size()));
  if (!attempt.attempt.resumed_from().empty()) {
    const auto it = state_.checkpoints.find(attempt.attempt.resumed_from());
    if (it != state_.checkpoints.end()) *offer.mutable_resume_from() = it->second;
  }
  return offer;
}

}  // namespace vlm::core
