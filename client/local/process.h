// Daemons of local mode: started detached, remembered by pid files that outlive reboots, stopped
// through a pidfd so that a recycled pid is never signalled.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vlm::client {

// Names one process for ever: pid, its start in clock ticks since boot, and the boot.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  std::string boot_id;
  bool operator==(const ProcessId&) const = default;
};

// Of a process that runs now; nothing if there is none (a zombie counts as none).
std::optional<ProcessId> Identify(pid_t pid);
bool IsAlive(const ProcessId& id);

// One line "pid start_ticks boot_id". A file that is missing or no such line reads as nothing.
std::optional<ProcessId> ReadPidFile(const std::string& path);
absl::Status WritePidFile(const std::string& path, const ProcessId& id);

// Starts a program in a session of its own with stdin from /dev/null and both outputs appended to
// `log`. It is no child of ours. NOT_FOUND or PERMISSION_DENIED: it cannot be executed.
absl::StatusOr<ProcessId> SpawnDaemon(const std::vector<std::string>& argv, const std::string& log);

// SIGTERM, and SIGKILL after `grace`; returns when it is gone. True if it had to be killed.
// DEADLINE_EXCEEDED: it is still there.
absl::StatusOr<bool> StopProcess(const ProcessId& id, absl::Duration grace);

// Next to this program, else in PATH. NOT_FOUND with what to do.
absl::StatusOr<std::string> FindProgram(const std::string& name);

}  // namespace vlm::client
