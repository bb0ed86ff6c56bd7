// Starting a program that cannot outlive the agent: its own process group, killed by the kernel
// when the agent dies (PR_SET_PDEATHSIG), every descriptor but its own closed.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace vlm::agent {

// Descriptors are the caller's to close.
struct Child {
  pid_t pid = -1;   // Also its process group.
  int pidfd = -1;   // Readable when it has ended.
  int socket = -1;  // Our end of the Unix stream socket; its number there is in VLM_TRAINER_FD.
  int out = -1;     // Its stdout; not blocking.
  int err = -1;     // Its stderr; not blocking.
};

// MUST be called on a thread that lives as long as the agent: the kernel sends the death signal
// when the *thread* that forked ends. NOT_FOUND, PERMISSION_DENIED: `argv[0]` cannot be executed.
// RESOURCE_EXHAUSTED: no process or descriptor left.
absl::StatusOr<Child> Spawn(const std::vector<std::string>& argv,
                            const std::vector<std::pair<std::string, std::string>>& env);

}  // namespace vlm::agent
