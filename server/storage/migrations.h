// Optuna's tables and ours: numbered, forward only, one transaction each.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/storage/connection.h"

namespace vlm::storage {

inline constexpr int kSchemaVersion = 1;  // Newest migration of the vlm_* tables.

// Creates or upgrades. FAILED_PRECONDITION: not an Optuna file, an Optuna schema that is not
// v3.2.0.a, or vlm tables of a newer version; nothing is written then.
absl::Status Migrate(Connection& connection, const std::string& path);

}  // namespace vlm::storage
