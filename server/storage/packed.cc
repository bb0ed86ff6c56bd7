#include "server/storage/packed.h"

#include <algorithm>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/core/attempt_state.h"
#include "server/core/optuna_json.h"
#include "server/storage/load.h"

namespace vlm::storage {
namespace {

constexpr int kPart = 20'000;            // Trials at a time, so that memory stays small.
constexpr size_t kMostNumbers = 65'535;  // Of the counts in a packed trial.

std::string KeyOf(const std::string& name, const v1::Distribution& distribution) {
  return absl::StrCat(name, absl::string_view("\0", 1), distribution.SerializeAsString());
}

void Bind(SQLite::Statement& s, int index, const std::string& bytes) {
  s.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

absl::string_view Bytes(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<size_t>(column.getBytes())};
}

// How many slots each study has.
using Counts = absl::flat_hash_map<int64_t, uint32_t>;

// False: a row is damaged.
bool LoadKinds(Connection& c, std::vector<core::ParamKindRow>* rows, Counts* counts) {
  SQLite::Statement& s = c.Prepare(
      "SELECT study_id, slot, name, distribution FROM vlm_param_kinds ORDER BY study_id, slot");
  bool intact = true;
  while (s.executeStep()) {
    core::ParamKindRow& row = rows->emplace_back();
    row.study_id = s.getColumn(0).getInt64();
    row.slot = static_cast<uint32_t>(s.getColumn(1).getInt());
    row.name = s.getColumn(2).getString();
    const SQLite::Column column = s.getColumn(3);
    const absl::string_view bytes = Bytes(column);
    intact &= row.slot == (*counts)[row.study_id]++ &&
              row.distribution.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  }
  return intact;
}

core::PackedTrial ReadRow(SQLite::Statement& s) {
  core::PackedTrial row;
  row.trial_id = s.getColumn(0).getInt64();
  row.study_id = s.getColumn(1).getInt64();
  row.number = s.getColumn(2).getInt64();
  row.state = static_cast<v1::TrialState>(s.getColumn(3).getInt());
  row.has_extras = s.getColumn(4).getInt() != 0;
  row.numbers = Bytes(s.getColumn(5));
  row.rest = Bytes(s.getColumn(6));
  return row;
}

}  // namespace

ParamKinds::Slots& ParamKinds::Of(Connection& c, int64_t study_id) {
  const auto [it, fresh] = studies_.try_emplace(study_id);
  if (!fresh) return it->second;
  SQLite::Statement& s =
      c.Prepare("SELECT slot, name, distribution FROM vlm_param_kinds WHERE study_id = ?");
  s.bind(1, study_id);
  while (s.executeStep()) {
    const absl::string_view distribution = Bytes(s.getColumn(2));
    it->second[absl::StrCat(s.getColumn(1).getString(), absl::string_view("\0", 1), distribution)] =
        static_cast<uint32_t>(s.getColumn(0).getInt());
  }
  return it->second;
}

uint32_t ParamKinds::SlotOf(Connection& c, int64_t study_id, const v1::Param& param) {
  Slots& slots = Of(c, study_id);
  const auto slot = static_cast<uint32_t>(slots.size());
  const auto [it, fresh] = slots.try_emplace(KeyOf(param.name(), param.distribution()), slot);
  if (!fresh) return it->second;
  SQLite::Statement& s = c.Prepare(
      "INSERT INTO vlm_param_kinds (study_id, slot, name, distribution) VALUES (?, ?, ?, ?)");
  s.bind(1, study_id);
  s.bind(2, static_cast<int64_t>(slot));
  s.bind(3, param.name());
  Bind(s, 4, param.distribution().SerializeAsString());
  s.exec();
  return slot;
}

void WritePacked(Connection& c, ParamKinds& kinds, const v1::Trial& trial) {
  if (!core::IsEnd(trial.state())) return;
  if (static_cast<size_t>(std::max(trial.params_size(), trial.values_size())) > kMostNumbers) {
    return;  // It stays in Optuna's rows alone.
  }
  std::vector<uint32_t> slots;
  std::vector<double> params;
  for (const v1::Param& param : trial.params()) {
    const auto internal = core::Internal(param.distribution(), param.value());
    if (!internal.ok()) return;
    slots.push_back(kinds.SlotOf(c, trial.study_id(), param));
    params.push_back(*internal);
  }
  v1::Trial stored = trial;
  stored.clear_checkpoint();  // It has a table of its own.
  stored.clear_attempts();
  SQLite::Statement& s = c.Prepare(
      "INSERT OR REPLACE INTO vlm_packed_trials (trial_id, study_id, number, state, has_extras, "
      "numbers, rest) VALUES (?, ?, ?, ?, ?, ?, ?)");
  s.bind(1, trial.trial_id());
  s.bind(2, trial.study_id());
  s.bind(3, trial.number());
  s.bind(4, trial.state());
  s.bind(5, core::HasExtras(trial));
  Bind(s, 6,
       core::PackNumbers({trial.values().data(), static_cast<size_t>(trial.values_size())}, slots,
                         params));
  Bind(s, 7, core::PackRest(stored));
  s.exec();
}

void DropPackedOfStudy(Connection& c, ParamKinds& kinds, int64_t study_id) {
  for (const char* table : {"vlm_packed_trials", "vlm_param_kinds"}) {
    SQLite::Statement& s = c.Prepare(absl::StrCat("DELETE FROM ", table, " WHERE study_id = ?"));
    s.bind(1, study_id);
    s.exec();
  }
  kinds.Forget(study_id);
}

void DropStalePacked(Connection& c, const std::string& ids) {
  c.Execute(absl::StrCat("DELETE FROM vlm_packed_trials WHERE trial_id IN ", ids));
}

void DropOrphanedKinds(Connection& c, const std::string& lost_studies) {
  c.Execute(absl::StrCat("DELETE FROM vlm_param_kinds WHERE study_id IN ", lost_studies,
                         " OR study_id NOT IN (SELECT study_id FROM studies)"));
}

void PackMissing(Connection& c, ParamKinds& kinds) {
  c.Execute(
      "CREATE TEMP TABLE IF NOT EXISTS vlm_missing (id INTEGER NOT NULL PRIMARY KEY); "
      "CREATE TEMP TABLE IF NOT EXISTS vlm_part (id INTEGER NOT NULL PRIMARY KEY); "
      "DELETE FROM temp.vlm_missing; "
      "INSERT INTO temp.vlm_missing SELECT trial_id FROM trials WHERE "
      "state IN ('COMPLETE', 'PRUNED', 'FAIL') AND NOT EXISTS "
      "(SELECT 1 FROM vlm_packed_trials p WHERE p.trial_id = trials.trial_id)");
  while (true) {
    c.Execute(
        absl::StrCat("DELETE FROM temp.vlm_part; INSERT INTO temp.vlm_part SELECT id FROM "
                     "temp.vlm_missing ORDER BY id LIMIT ",
                     kPart,
                     "; DELETE FROM temp.vlm_missing WHERE id IN (SELECT id FROM "
                     "temp.vlm_part)"));
    core::Snapshot part;
    LoadTrials(c, &part, "(SELECT id FROM temp.vlm_part)");
    if (part.trials.empty()) return;
    for (const v1::Trial& trial : part.trials) WritePacked(c, kinds, trial);
  }
}

bool LoadPacked(Connection& c, core::Snapshot* out) {
  Counts counts;
  if (!LoadKinds(c, &out->param_kinds, &counts)) return false;
  SQLite::Statement& s = c.Prepare(
      "SELECT trial_id, study_id, number, state, has_extras, numbers, rest FROM vlm_packed_trials "
      "ORDER BY trial_id");
  core::UnpackedNumbers numbers;
  bool intact = true;
  while (intact && s.executeStep()) {
    const core::PackedTrial packed = ReadRow(s);
    const auto count = counts.find(packed.study_id);
    const uint32_t slots = count == counts.end() ? 0 : count->second;
    intact = core::IsEnd(packed.state) && core::UnpackNumbers(packed.numbers, &numbers) &&
             std::all_of(numbers.slots.begin(), numbers.slots.end(),
                         [slots](uint32_t slot) { return slot < slots; });
    out->packed.Add(packed);
    out->last_trial_id = std::max(out->last_trial_id, packed.trial_id);
  }
  s.reset();
  return intact;
}

void DropAllPacked(Connection& c, ParamKinds& kinds) {
  c.Execute("DELETE FROM vlm_packed_trials; DELETE FROM vlm_param_kinds");
  kinds.Forget();
}

}  // namespace vlm::storage
