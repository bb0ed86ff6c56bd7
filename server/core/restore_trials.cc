// Trials of a restarted heart. Finished ones come packed and stay so: nothing of a study of a
// million trials is taken apart here.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "server/core/core.h"
#include "server/core/optuna_json.h"

namespace vlm::core {

// Turns packed rows into views. What the rows of a study have in common is worked out once.
class Core::PackedReader {
 public:
  struct Slot {
    const search::ParamKind* kind = nullptr;
    bool usable = false;  // As a sampler's input, see Core::MakeView.
    bool known = false;   // The above has been worked out.
  };
  struct Study {
    StudyRecord* record = nullptr;
    std::vector<Slot> slots;
    std::vector<uint32_t> last_slots;  // Of the trial before, and their list.
    const search::KindList* list = search::KindList::Empty();
  };
  Study& StudyOf(StudyRecord& record) {
    Study& study = studies_[record.study.study_id()];
    if (study.record == nullptr) {
      study.record = &record;
      for (const search::ParamKind* kind : record.kinds) study.slots.push_back({kind});
    }
    return study;
  }
  // Of the packed trial that is looked at.
  UnpackedNumbers numbers;

 private:
  absl::flat_hash_map<int64_t, Study> studies_;
};

// A trial that came unpacked, or whose packed form says what a sampler must not see.
void Core::RestoreTrial(StudyRecord& study, v1::Trial trial, std::vector<int64_t>* loose) {
  TrialRecord& record = Keep(study, std::move(trial));
  loose->push_back(record.trial.trial_id());
  RefreshView(study, record, false);
  UpdateBest(study, record);
}

namespace {

v1::Trial Whole(const PackedTrial& packed, const UnpackedNumbers& numbers,
                const std::vector<const search::ParamKind*>& kinds) {
  v1::Trial trial;
  if (!UnpackRest(packed.rest, &trial)) {
    VLM_LOG_WARNING("a packed trial is damaged", {{"trial", packed.trial_id}});
  }
  trial.set_trial_id(packed.trial_id);
  trial.set_study_id(packed.study_id);
  trial.set_number(packed.number);
  trial.set_state(packed.state);
  trial.mutable_values()->Assign(numbers.values.begin(), numbers.values.end());
  for (size_t i = 0; i < numbers.slots.size(); ++i) {
    const search::ParamKind& kind = *kinds[numbers.slots[i]];
    AddParam(kind.name, kind.distribution, numbers.params[i], &trial);
  }
  return trial;
}

}  // namespace

// The store has looked at the slots: each has its kind.
void Core::RestorePacked(PackedReader& reader, const PackedTrial& packed,
                         std::vector<int64_t>* loose) {
  const auto found = state_.studies.find(packed.study_id);
  if (found == state_.studies.end()) return;
  StudyRecord& study = found->second;
  PackedReader::Study& shared = reader.StudyOf(study);
  UnpackedNumbers& numbers = reader.numbers;
  UnpackNumbers(packed.numbers, &numbers);
  const bool ours = study.spec.has_train();
  bool usable = packed.number == static_cast<int64_t>(study.trial_ids.size()) &&
                (!ours || packed.state != v1::TRIAL_STATE_COMPLETE ||
                 static_cast<int>(numbers.values.size()) == study.study.directions_size());
  for (size_t i = 0; i < numbers.slots.size(); ++i) {
    PackedReader::Slot& slot = shared.slots[numbers.slots[i]];
    if (!std::exchange(slot.known, true)) {
      study.distributions.try_emplace(slot.kind->name, slot.kind->distribution);
      slot.usable =
          !ours || CheckDistribution(study, slot.kind->name, slot.kind->distribution).ok();
    }
    usable = usable && slot.usable &&
             (!ours || search::Contains(slot.kind->distribution, numbers.params[i]));
  }
  if (!usable) return RestoreTrial(study, Whole(packed, numbers, study.kinds), loose);
  if (numbers.slots != shared.last_slots) {
    shared.last_slots = numbers.slots;
    shared.list = search::KindList::Empty();
    for (const uint32_t slot : numbers.slots) shared.list = shared.list->With(study.kinds[slot]);
  }
  search::TrialView view;
  view.set_number(packed.number);
  view.set_state(packed.state);
  view.Set(numbers.values, shared.list, numbers.params);
  // The attributes of other programs' trials are many; most say nothing about constraints.
  if (packed.has_extras && (ours || packed.rest.find("constraints") != absl::string_view::npos)) {
    v1::Trial trial;
    UnpackRest(packed.rest, &trial);
    FillExtras(trial, ours, &view);
  }
  study.trial_ids.push_back(packed.trial_id);
  UpdateBest(study, view);
  SetView(study, std::move(view), packed.state);
  state_.trials.AddPacked(packed);
}

// By id, so that numbers come in order.
void Core::RestoreTrials(Snapshot& snapshot) {
  std::vector<int64_t> loose;
  auto next = snapshot.trials.begin();
  const auto keep_before = [&](int64_t trial_id) {
    for (; next != snapshot.trials.end() && next->trial_id() < trial_id; ++next) {
      const auto study = state_.studies.find(next->study_id());
      if (study != state_.studies.end()) RestoreTrial(study->second, std::move(*next), &loose);
    }
  };
  PackedReader reader;
  snapshot.packed.Drain([&](const PackedTrial& packed) {
    keep_before(packed.trial_id);
    RestorePacked(reader, packed, &loose);
  });
  keep_before(std::numeric_limits<int64_t>::max());
  RestoreAttempts(snapshot);
  RestoreCheckpoints(snapshot);
  for (auto& [id, study] : state_.studies) {
    AnnounceStudy(study);
    if (study.spec.has_train() && !study.views.empty()) {
      out_->effects.push_back(SearchHistory{id, study.views});
    }
  }
  for (const int64_t trial_id : loose) TakeUp(state_.trials.at(trial_id));
  for (const auto& [id, attempt] : absl::btree_map(state_.live)) {
    if (IsEnd(TrialOf(*attempt).trial.state())) TakeUp(TrialOf(*attempt));
  }
}

// What another program, or the end of the coordinator, has left half done.
void Core::TakeUp(TrialRecord& trial) {
  StudyRecord& study = StudyOf(trial);
  if (trial.trial.state() == v1::TRIAL_STATE_WAITING && trial.trial.params().empty()) {
    FixOrEnd(study, trial);  // Another program has put it there.
  }
  if (IsEnd(trial.trial.state()) && trial.live_attempt != 0) {
    CloseAttempt(*state_.attempts.at(trial.live_attempt), v1::ATTEMPT_STATE_STOPPED,
                 v1::FAILURE_CLASS_UNSPECIFIED, "another program has ended the trial");
  }
  // A running trial without an attempt was waiting for its next one.
  if (trial.trial.state() == v1::TRIAL_STATE_RUNNING && trial.live_attempt == 0 &&
      !trial.trial.external() && study.spec.has_train()) {
    study.requeued.push_back(trial.trial.trial_id());
  }
}

}  // namespace vlm::core
