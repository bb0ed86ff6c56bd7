// Finished trials out of files that are not ours, for study.seed_from. Nothing is written to them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"

namespace vlm::storage {

// COMPLETE and PRUNED trials of a study in Optuna's SQLite file, by number, with parameters,
// values, intermediate values and constraints. NOT_FOUND: no file, or no such study (the message
// lists some). FAILED_PRECONDITION: no database, or not Optuna's. DATA_LOSS: damaged.
absl::StatusOr<std::vector<v1::Trial>> ReadOptunaTrials(const std::string& path,
                                                        const std::string& study);

// Trials of a table with a header line (RFC 4180): a parameter's column is called NAME or
// params_NAME (as in Optuna's data frames), the values' columns value or values_0, values_1, ... or
// as the metrics; an optional column state holds COMPLETE or PRUNED (others are left out). Cells
// are read as the space's ranges want them. NOT_FOUND: no file. INVALID_ARGUMENT names the line.
absl::StatusOr<std::vector<v1::Trial>> ReadCsvTrials(const std::string& path,
                                                     const v1::StudySpec& spec);

// Whatever file spec.seed_from names; nothing if it names none.
absl::StatusOr<std::vector<v1::Trial>> ReadSeeds(const v1::StudySpec& spec);

}  // namespace vlm::storage
