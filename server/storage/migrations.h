// Optuna's tables and ours: numbered, forward only, one transaction each.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/storage/connection.h"

namespace vlm::storage {

inline constexpr int kSchemaVersion = 5;  // Newest migration of the vlm_* tables.
// Our tables that hang on trials. (vlm_report_marks hangs on vlm_attempts.)
inline constexpr const char* kTrialTables[] = {
    "vlm_trials",      "vlm_metric_blocks", "vlm_profiles",     "vlm_logs",
    "vlm_checkpoints", "vlm_attempts",      "vlm_packed_trials"};

// Optuna's tables of schema 12 in an empty database. Throws; callers run inside Guard.
void CreateOptunaTables(Connection& connection);

// Creates or upgrades. FAILED_PRECONDITION: not an Optuna file, an Optuna schema that is not
// v3.2.0.a, or vlm tables of a newer version; nothing is written then.
absl::Status Migrate(Connection& connection, const std::string& path);

// FAILED_PRECONDITION: Optuna's tables are of a schema that we do not know. Throws too.
absl::Status CheckRevision(Connection& connection, const std::string& path);

}  // namespace vlm::storage
