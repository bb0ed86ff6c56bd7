// What is written and said when an attempt gets its slots.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "server/core/core.h"

namespace vlm::core {

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
  study.live_slots += attempt.placements_size();
  study.waits_since = -absl::InfiniteDuration();
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
