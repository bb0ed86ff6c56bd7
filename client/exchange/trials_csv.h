// Trials as CSV with the columns of Optuna's trials_dataframe(): number, value (or values_0, ...),
// datetime_start, datetime_complete, duration, params_*, user_attrs_*, state. Times are RFC 3339
// UTC, the duration is seconds, user attributes are JSON texts. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"

namespace vlm::client {

std::string TrialsToCsv(const std::vector<v1::Trial>& trials, int objectives);

struct CsvTrials {
  std::vector<v1::Trial> trials;
  int objectives = 1;
};

// Needed columns: a value. Without `state` every row is COMPLETE, or FAIL without a value. A
// parameter's range is that of `space`; one that is not there gets the range of its column:
// integers, numbers, or else the texts as choices. INVALID_ARGUMENT names row and column.
absl::StatusOr<CsvTrials> TrialsFromCsv(const std::string& text, const v1::StudySpec& space);

}  // namespace vlm::client
