// Optuna databases of others. Errors as Store's; messages call the file "the database".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vlm/v1/study.pb.h"

namespace vlm::storage {

struct OptunaStudy {
  v1::Study study;
  std::vector<v1::Trial> trials;  // By number.
};

// Reads one study of the database at `path`, which is a copy of one's own: our tables are added to
// it. `name` empty: its only study. NOT_FOUND: no such study, or none at all. INVALID_ARGUMENT:
// several and no name; the message lists them.
absl::StatusOr<OptunaStudy> ReadOptunaStudy(const std::string& path, const std::string& name);

}  // namespace vlm::storage
