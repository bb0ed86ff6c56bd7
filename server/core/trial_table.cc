#include "server/core/trial_table.h"

#include <algorithm>
#include <cstring>

#include "common/log.h"
#include "server/core/attempt_state.h"
#include "server/core/optuna_json.h"

namespace vlm::core {
namespace {

// In front of a packed trial's rest.
struct Header {
  int64_t study_id;
  int64_t number;
  uint32_t size : 31;
  uint32_t whole : 1;  // `rest` is the whole trial: the view says less, or something else.
};
constexpr size_t kHeaderBytes = 2 * sizeof(int64_t) + sizeof(uint32_t);

// Whether the trial's state, values and parameters can be had back from what samplers see.
bool Tells(const search::TrialView& view, const v1::Trial& trial) {
  if (view.state() != trial.state()) return false;
  if (!std::equal(view.values().begin(), view.values().end(), trial.values().begin(),
                  trial.values().end())) {
    return false;
  }
  const auto params = view.params();
  if (params.size() != static_cast<size_t>(trial.params_size())) return false;
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].name != trial.params(static_cast<int>(i)).name()) return false;
  }
  return true;
}

std::unique_ptr<char[]> Bytes(Header header, absl::string_view rest) {
  header.size = static_cast<uint32_t>(rest.size()) & 0x7fffffff;
  auto bytes = std::make_unique_for_overwrite<char[]>(kHeaderBytes + rest.size());
  std::memcpy(bytes.get(), &header, kHeaderBytes);
  std::memcpy(bytes.get() + kHeaderBytes, rest.data(), rest.size());
  return bytes;
}

void FillFrom(const search::TrialView& view, v1::Trial* trial) {
  trial->set_state(view.state());
  trial->mutable_values()->Assign(view.values().begin(), view.values().end());
  for (const search::ParamPoint& point : view.params()) {
    AddParam(point.name, point.distribution, point.value, trial);
  }
}

}  // namespace

TrialRecord& TrialTable::Touch(int64_t trial_id, Entry& entry) {
  if (entry.record == nullptr) {
    entry.record = std::make_unique<TrialRecord>();
    Unpack(trial_id, entry.bytes.get(), entry.record.get());
    entry.bytes.reset();
    if (const auto run = runs_.find(trial_id); run != runs_.end()) {
      static_cast<TrialRun&>(*entry.record) = std::move(run->second);
      runs_.erase(run);
    }
  }
  if (!entry.record->touched) {
    entry.record->touched = true;
    touched_.push_back(trial_id);
  }
  return *entry.record;
}

TrialRecord* TrialTable::find(int64_t trial_id) {
  const auto it = entries_.find(trial_id);
  return it == entries_.end() ? nullptr : &Touch(trial_id, it->second);
}

TrialRecord& TrialTable::at(int64_t trial_id) { return Touch(trial_id, entries_.at(trial_id)); }

TrialRecord& TrialTable::Add(v1::Trial trial) {
  const int64_t trial_id = trial.trial_id();
  Entry& entry = entries_[trial_id];
  entry.bytes.reset();
  entry.record = std::make_unique<TrialRecord>();
  entry.record->trial = std::move(trial);
  return Touch(trial_id, entry);
}

void TrialTable::AddPacked(const PackedTrial& trial) {
  const Header header{trial.study_id, trial.number, 0, 0};
  entries_[trial.trial_id].bytes = Bytes(header, trial.rest);
}

void TrialTable::erase(int64_t trial_id) {
  entries_.erase(trial_id);
  runs_.erase(trial_id);
}

const TrialRecord& TrialTable::Look(int64_t trial_id, TrialRecord* scratch) const {
  const Entry& entry = entries_.at(trial_id);
  if (entry.record != nullptr) return *entry.record;
  *scratch = TrialRecord();
  Unpack(trial_id, entry.bytes.get(), scratch);
  if (const auto run = runs_.find(trial_id); run != runs_.end()) {
    static_cast<TrialRun&>(*scratch) = run->second;
  }
  return *scratch;
}

TrialRun& TrialTable::RunOf(int64_t trial_id) {
  Entry& entry = entries_.at(trial_id);
  if (entry.record != nullptr) return *entry.record;
  return runs_[trial_id];
}

void TrialTable::Settle() {
  for (const int64_t trial_id : touched_) {
    const auto it = entries_.find(trial_id);
    if (it == entries_.end() || it->second.record == nullptr) continue;
    TrialRecord& record = *it->second.record;
    record.touched = false;
    if (!IsEnd(record.trial.state()) || record.live_attempt != 0) continue;
    it->second.bytes = Pack(record);
    if (!record.TrialRun::empty()) runs_[trial_id] = std::move(static_cast<TrialRun&>(record));
    it->second.record.reset();
  }
  touched_.clear();
  if (touched_.capacity() > 1024) touched_.shrink_to_fit();
}

std::unique_ptr<char[]> TrialTable::Pack(const TrialRecord& record) const {
  const v1::Trial& trial = record.trial;
  const bool tells = Tells(view_of_(trial.study_id(), trial.number()), trial);
  const Header header{trial.study_id(), trial.number(), 0, !tells};
  return Bytes(header, tells ? PackRest(trial) : trial.SerializeAsString());
}

void TrialTable::Unpack(int64_t trial_id, const char* bytes, TrialRecord* record) const {
  Header header;
  std::memcpy(&header, bytes, kHeaderBytes);
  const absl::string_view rest(bytes + kHeaderBytes, header.size);
  v1::Trial& trial = record->trial;
  bool intact = false;
  if (header.whole != 0) {
    intact = trial.ParseFromArray(rest.data(), static_cast<int>(rest.size()));
  } else {
    intact = UnpackRest(rest, &trial);
    FillFrom(view_of_(header.study_id, header.number), &trial);
  }
  // Cannot be in memory; a packed row of the file may be damaged: what its view says is left.
  if (!intact) VLM_LOG_WARNING("a packed trial is damaged", {{"trial", trial_id}});
  trial.set_trial_id(trial_id);
  trial.set_study_id(header.study_id);
  trial.set_number(header.number);
}

}  // namespace vlm::core
