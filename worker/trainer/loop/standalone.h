// Trains one configuration without a coordinator: the way to debug and to benchmark.
#pragma once

#include <string>
#include <vector>

namespace vlm::trainer {

struct StandaloneOptions {
  std::string config_path;
  std::vector<std::string> overrides;  // KEY=VALUE
  int world_size = 0;                  // 0: what resources.world_size says.
  int threads = 0;                     // Of each rank; 0 = the machine's cores over the ranks.
  std::string out = "vlm-out";         // Checkpoints and traces go here.
  std::string resume;                  // Checkpoint to go on from; empty = from scratch.
};

// With several ranks the calling process starts one process per rank (this program again) and
// waits. Ctrl-C ends the training at the next step with a checkpoint.
// Returns the exit code: 0, 2 = the configuration or the data are wrong (said on stderr), 1.
int RunStandalone(const StandaloneOptions& options);

}  // namespace vlm::trainer
