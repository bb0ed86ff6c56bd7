// `study best`, also printed at the end of a followed submit.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/session.h"
#include "vlm/v1/config.pb.h"

namespace vlm::client {

struct BestOptions {
  std::string study;  // Empty: the active or newest one.
  int count = 0;      // Of a study with one objective; 0 = 1.
  bool params_only = false;
  bool pareto = false;  // Only for several objectives, which show their front anyway.
};

// Prints the best trials of a study; an exit code or an error.
absl::StatusOr<int> PrintBest(Session& session, const BestOptions& options);

// The configuration that trains this trial once more, without a search.
absl::StatusOr<v1::StudySpec> SpecOf(const v1::StudySpec& study, const v1::Trial& trial);

}  // namespace vlm::client
