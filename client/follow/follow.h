// Follows a study until it ends: a drawing in place on a terminal, plain lines elsewhere, JSON
// events with -o json.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/session.h"

namespace vlm::client {

struct FollowOptions {
  std::string study;       // Its whole name.
  bool to_stdout = false;  // Progress is the command's data (study watch), not a message (submit).
  bool quiet = false;      // Only wait.
};

// 0: it completed. 7: it failed, was cancelled or deleted. 130: Ctrl-C; the study goes on and
// stderr says how to come back. DEADLINE_EXCEEDED: --timeout passed. UNAVAILABLE: the coordinator
// stayed away.
absl::StatusOr<int> Follow(Session& session, const FollowOptions& options);

// From here on SIGINT and SIGTERM only set a flag; a second one ends the program.
void CatchInterrupts();
bool Interrupted();

}  // namespace vlm::client
