// What the exit code of vlmctl means; scripts rely on it.
#pragma once

#include "absl/status/status.h"

namespace vlm::client {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,  // Wrong arguments or an invalid configuration; nothing was changed.
  kNotFound = 3,
  kConflict = 4,      // The name is taken, or the object is in the wrong state.
  kDenied = 5,        // Not authenticated or not allowed.
  kUnreachable = 6,   // No coordinator answers.
  kEndedBadly = 7,    // The study or trial that was waited for failed or was cancelled.
  kTimedOut = 124,    // As timeout(1).
  kInterrupted = 130  // Ctrl-C.
};

// The one table from status codes to exit codes.
int ExitCodeOf(absl::StatusCode code);

}  // namespace vlm::client
