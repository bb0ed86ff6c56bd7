// Packed trials in the file (see server/core/packed_trial.h): written in the transaction that ends
// a trial, or when the file is opened for trials that ended elsewhere; read instead of Optuna's
// rows at the next start. Rows of trials that another program has changed are thrown away.
//
// Functions throw; callers run inside Guard and inside a transaction. Not thread-safe.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "server/core/mutation.h"
#include "server/storage/connection.h"

namespace vlm::storage {

// Numbers the kinds of parameters of each study, as vlm_param_kinds does. Forget it when a
// transaction that used it was rolled back.
class ParamKinds {
 public:
  // Adds what is new to the table.
  uint32_t SlotOf(Connection& c, int64_t study_id, const v1::Param& param);
  void Forget() { studies_.clear(); }
  void Forget(int64_t study_id) { studies_.erase(study_id); }

 private:
  using Slots = absl::flat_hash_map<std::string, uint32_t>;  // By name and distribution.
  Slots& Of(Connection& c, int64_t study_id);
  absl::flat_hash_map<int64_t, Slots> studies_;
};

// A finished trial's row; any other trial has none.
void WritePacked(Connection& c, ParamKinds& kinds, const v1::Trial& trial);
void DropPackedOfStudy(Connection& c, ParamKinds& kinds, int64_t study_id);

// Of trials in `ids` (SQL list), which another program has changed.
void DropStalePacked(Connection& c, const std::string& ids);
// Of studies in `lost_studies` (SQL list) and of those that are gone.
void DropOrphanedKinds(Connection& c, const std::string& lost_studies);
// Packs what other programs, or an older version, have left.
void PackMissing(Connection& c, ParamKinds& kinds);
// Into out->packed and out->param_kinds. False: a row is damaged, `out` is of no use.
bool LoadPacked(Connection& c, core::Snapshot* out);
void DropAllPacked(Connection& c, ParamKinds& kinds);

}  // namespace vlm::storage
