// Local mode: a coordinator and a worker of this user's on this machine, kept by `vlmctl up` and
// ended by `vlmctl down`. Both take a lock, so that two calls at once do not start two of anything.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/local/paths.h"
#include "client/local/process.h"
#include "vlm/v1/control.pb.h"

namespace vlm::client {

inline constexpr char kCoordinator[] = "vlm-coordinator";
inline constexpr char kWorker[] = "vlm-worker";

struct UpOptions {
  int slots = 0;             // 0: the worker decides.
  int threads_per_slot = 0;  // 0: the worker decides.
};

struct UpResult {
  bool coordinator_started = false;  // False: it ran already.
  bool worker_started = false;
  pid_t coordinator_pid = 0;
  pid_t worker_pid = 0;
};

// Status of the coordinator behind the socket; nothing if none answers within two seconds.
std::optional<v1::GetStatusResponse> Probe(const LocalPaths& paths);
bool CoordinatorAnswers(const LocalPaths& paths);

// Starts what does not run, removes stale sockets and pid files, returns when the worker has its
// slots attached. NOT_FOUND: a program is missing. UNAVAILABLE: one ended while starting; the
// message has the end of its log. DEADLINE_EXCEEDED: one lives but does not serve.
absl::StatusOr<UpResult> Up(const LocalPaths& paths, const UpOptions& options);

struct DownResult {
  bool worker_stopped = false;  // False: it did not run.
  bool coordinator_stopped = false;
  bool killed = false;  // One of them did not end within the grace.
};

// Stops the worker, then the coordinator; data stay.
absl::StatusOr<DownResult> Down(const LocalPaths& paths, absl::Duration grace);

}  // namespace vlm::client
