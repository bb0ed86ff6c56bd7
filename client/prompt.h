// Asks before something is destroyed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/session.h"

namespace vlm::client {

// Ok: go on. CANCELLED: the person said no. INVALID_ARGUMENT: nobody is there to ask (no terminal)
// and `yes` is not set.
absl::Status Confirm(Session& session, bool yes, const std::string& question);

}  // namespace vlm::client
