// `study best`, also printed at the end of a followed submit.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/session.h"
#include "vlm/v1/config.pb.h"

namespace vlm::client {

// Prints the best trials of a study (empty: the active or newest one); an exit code or an error.
absl::StatusOr<int> PrintBest(Session& session, const std::string& study, int count,
                              bool params_only);

// The configuration that trains this trial once more, without a search.
absl::StatusOr<v1::StudySpec> SpecOf(const v1::StudySpec& study, const v1::Trial& trial);

}  // namespace vlm::client
