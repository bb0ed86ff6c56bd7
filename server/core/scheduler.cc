// Whose turn it is: higher priorities first, then who has the least for its weight. A study of a
// higher priority takes slots from lower ones, at their next checkpoint; elastic trials grow the
// same way when slots are left over.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

double ShareOf(const StudyRecord& study) {
  return study.live_slots / (study.study.weight() > 0 ? study.study.weight() : 1);
}

}  // namespace

// Whether it has waited for slots for so long that the next ones are kept for it. Only a gang can
// be overtaken.
bool Core::Overdue(const StudyRecord& study) const {
  const v1::ResourcesConfig& need = study.spec.train().resources();
  const int least = need.world_sizes().empty() ? need.world_size() : need.world_sizes(0);
  return least > 1 && study.waits_since != -absl::InfiniteDuration() &&
         now_.monotonic - study.waits_since >= options_.gang_patience &&
         FitsAtAll(study.spec.train(), {});
}

void Core::Schedule() {
  std::vector<StudyRecord*> order;
  for (auto& [id, study] : state_.studies) {
    if (study.study.state() == v1::STUDY_STATE_ACTIVE && study.spec.has_train()) {
      order.push_back(&study);
    }
  }
  while (GrantOne(order)) {
  }
  GrowOne();
}

// One round over the studies until one gets slots. Those after one that is about to get its own
// wait, lest they take them.
bool Core::GrantOne(std::vector<StudyRecord*>& order) {
  std::stable_sort(order.begin(), order.end(), [this](const auto* a, const auto* b) {
    if (a->study.priority() != b->study.priority()) {
      return a->study.priority() > b->study.priority();
    }
    if (Overdue(*a) != Overdue(*b)) return Overdue(*a);
    return ShareOf(*a) < ShareOf(*b);
  });
  const StudyRecord* ahead = nullptr;  // Slots are kept for it.
  bool all_wait = false;               // Also by those of its own priority.
  for (StudyRecord* study : order) {
    PumpAsks(*study);
    if (study->study.state() != v1::STUDY_STATE_ACTIVE) continue;
    if (ahead != nullptr && (all_wait || study->study.priority() < ahead->study.priority())) {
      SetWaitReason(*study, absl::StrCat("slots are kept for study ", ahead->study.name()));
      continue;
    }
    const Turn turn = ScheduleStudy(*study);
    if (turn == Turn::kGranted) return true;
    if (turn == Turn::kNothing) {
      study->waits_since = -absl::InfiniteDuration();
      continue;
    }
    if (turn == Turn::kNoRoom && study->waits_since == -absl::InfiniteDuration()) {
      study->waits_since = now_.monotonic;
    }
    const bool overdue = Overdue(*study);
    if (turn == Turn::kAsking || overdue || MakeRoom(*study)) {
      ahead = study;
      all_wait = turn == Turn::kAsking || overdue;
    }
  }
  return false;
}

Core::Turn Core::ScheduleStudy(StudyRecord& study) {
  if (study.study.parallelism() > 0 && study.live_attempts >= study.study.parallelism()) {
    return Turn::kNothing;
  }
  if (TimedOut(study)) return Turn::kNothing;
  const auto due = std::find_if(study.requeued.begin(), study.requeued.end(), [&](int64_t id) {
    return state_.trials.at(id).not_before <= now_.monotonic;
  });
  if (!BudgetLeft(study)) study.held.clear();  // Enqueued trials have used it up meanwhile.
  const bool fresh = BudgetLeft(study) || !study.waiting.empty();
  if (due == study.requeued.end() && !fresh) return Turn::kNothing;
  const Placement how =
      due == study.requeued.end() ? Placement() : PlacementOf(study, state_.trials.at(*due));
  auto nodes = Place(study.spec.train(), how);
  if (nodes.empty()) {
    SetWaitReason(study, WhyNoRoom(study.spec.train(), how));
    return Turn::kNoRoom;
  }
  SetWaitReason(study, "");
  if (due != study.requeued.end()) {
    TrialRecord& trial = state_.trials.at(*due);
    study.requeued.erase(due);
    Grant(study, trial, std::move(nodes));
    return Turn::kGranted;
  }
  if (!study.held.empty()) {
    Grant(study, NewTrial(study, v1::TRIAL_STATE_RUNNING, TakeHeld(study)), std::move(nodes));
    return Turn::kGranted;
  }
  if (study.question_open) return study.question_for_ask ? Turn::kNothing : Turn::kAsking;
  study.question_for_ask = false;
  if (!study.waiting.empty()) {
    AskForWaiting(study);
  } else {
    AskSampler(study, 1);
  }
  return Turn::kAsking;
}

// Why an ACTIVE study does not get on; for eyes only, stored with the next real change.
void Core::SetWaitReason(StudyRecord& study, const std::string& reason) {
  study.study.set_reason(study.live_attempts > 0 ? "" : reason);
}

// Attempts that have been told to leave their slots.
Placement Core::Leaving() const {
  Placement how;
  for (const auto& [id, attempt] : state_.live) {
    if (attempt->command.action() == v1::Command::ACTION_PREEMPT) how.leaving.insert(id);
  }
  return how;
}

// True: slots for the study are on their way. The lowest priorities go first, of those the newest,
// which lose the least; and no more than are needed.
bool Core::MakeRoom(const StudyRecord& study) {
  const v1::TrainConfig& train = study.spec.train();
  Placement how = Leaving();
  if (!Place(train, how).empty()) return true;
  std::vector<AttemptRecord*> victims;
  for (const auto& [id, attempt] : state_.live) {
    if (attempt->attempt.state() == v1::ATTEMPT_STATE_RUNNING &&
        attempt->command.action() == v1::Command::ACTION_UNSPECIFIED &&
        StudyOf(TrialOf(*attempt)).study.priority() < study.study.priority()) {
      victims.push_back(attempt);
    }
  }
  std::stable_sort(victims.begin(), victims.end(), [this](auto* a, auto* b) {
    const int32_t of_a = StudyOf(TrialOf(*a)).study.priority();
    const int32_t of_b = StudyOf(TrialOf(*b)).study.priority();
    return of_a != of_b ? of_a < of_b : a->attempt.attempt_id() > b->attempt.attempt_id();
  });
  size_t taken = 0;
  bool fits = false;
  while (!fits && taken < victims.size()) {
    how.leaving.insert(victims[taken++]->attempt.attempt_id());
    fits = !Place(train, how).empty();
  }
  if (!fits) return false;
  for (size_t i = 0; i < taken; ++i) {
    const int64_t id = victims[i]->attempt.attempt_id();
    how.leaving.erase(id);
    if (!Place(train, how).empty()) continue;  // What came later is enough.
    how.leaving.insert(id);
    Command(*victims[i], v1::Command::ACTION_PREEMPT,
            absl::StrCat("study ", study.study.name(), " of a higher priority needs its slots"));
  }
  return true;
}

bool Core::MayGrow(const AttemptRecord& attempt, const StudyRecord& study) const {
  const auto& sizes = study.spec.train().resources().world_sizes();
  return !sizes.empty() && attempt.attempt.placements_size() < *sizes.rbegin() &&
         attempt.attempt.state() == v1::ATTEMPT_STATE_RUNNING &&
         attempt.command.action() == v1::Command::ACTION_UNSPECIFIED &&
         study.study.state() == v1::STUDY_STATE_ACTIVE;
}

// An elastic trial that runs with fewer ranks than it may is started anew with more, from a
// checkpoint, once nobody waits for the slots that are left over. One at a time.
void Core::GrowOne() {
  if (!Leaving().leaving.empty()) return;
  for (const auto& [id, study] : state_.studies) {
    if (study.waits_since != -absl::InfiniteDuration() || study.question_open) return;
  }
  for (const auto& [id, attempt] : state_.live) {
    const StudyRecord& study = StudyOf(TrialOf(*attempt));
    if (!MayGrow(*attempt, study)) continue;
    if (now_.monotonic - attempt->running_since < options_.elastic_patience) continue;
    Placement how;
    how.leaving.insert(id);
    const auto nodes = Place(study.spec.train(), how);
    int ranks = 0;
    for (const NodeRecord& node : nodes) ranks += static_cast<int>(node.ranks.size());
    if (ranks <= attempt->attempt.placements_size()) continue;
    return Command(*attempt, v1::Command::ACTION_PREEMPT,
                   absl::StrCat("it grows from ", attempt->attempt.placements_size(), " to ", ranks,
                                " ranks"));
  }
}

// When a study's patience ends, or an elastic trial may grow.
absl::Duration Core::NextTurn() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& [id, study] : state_.studies) {
    if (study.waits_since == -absl::InfiniteDuration()) continue;
    const absl::Duration due = study.waits_since + options_.gang_patience;
    if (due > now_.monotonic) next = std::min(next, due);
  }
  for (const auto& [id, attempt] : state_.live) {
    if (!MayGrow(*attempt, state_.studies.at(attempt->attempt.study_id()))) continue;
    const absl::Duration due = attempt->running_since + options_.elastic_patience;
    if (due > now_.monotonic) next = std::min(next, due);
  }
  return next;
}

}  // namespace vlm::core
