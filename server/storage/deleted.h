// Deleted studies: one row each, whole, until they are restored or purged. Throws; callers run
// inside Guard.
#pragma once

#include "server/core/mutation.h"
#include "server/storage/connection.h"

namespace vlm::storage {

// Tables of a trial's series, logs and checkpoints: what stays for a study that can be restored.
inline constexpr const char* kSeriesTables[] = {"vlm_metric_blocks", "vlm_profiles", "vlm_logs",
                                                "vlm_checkpoints"};
bool IsSeriesTable(const std::string& table);

void WriteDeleted(Connection& c, const v1::WholeStudy& whole);
void DropDeleted(Connection& c, const core::DropDeletedStudy& drop);
// False: there is no such row.
bool ReadDeleted(Connection& c, int64_t study_id, v1::WholeStudy* whole);
void LoadDeleted(Connection& c, core::Snapshot* out);

}  // namespace vlm::storage
