// What an agent is told by flags, environment (VLM_WORKER_*) and its YAML file, in that order.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vlm::agent {

struct AgentOptions {
  std::string coordinator;  // HOST:PORT or unix:PATH.
  std::string name;         // Host name.
  std::string address;      // Found out.
  std::string work_dir;     // $XDG_STATE_HOME/vlmctl/worker.
  std::string trainer;      // vlm-trainer beside this program.
  std::string device = "auto";
  std::string log_level = "info";
  int slots = 0;
  int threads_per_slot = 0;
  int warm = -1;  // -1 = one a slot.
  bool insecure = false;
  double drain_grace_s = 30;
  int spool_mb = 64;       // Bound of one attempt's spool.
  int keep_attempts = 20;  // Folders of ended attempts that stay ...
  int keep_mb = 4096;      // ... and their bound together.
};

// Reads argv. Prints help or version and returns CANCELLED where that was asked for.
// INVALID_ARGUMENT with every problem named.
absl::StatusOr<AgentOptions> ReadOptions(int argc, char** argv);

// Fills in what was left to be found out and checks the rest.
// INVALID_ARGUMENT: no coordinator, or an address off this machine without --insecure.
absl::Status CompleteOptions(AgentOptions* options);

}  // namespace vlm::agent
