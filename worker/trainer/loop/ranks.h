// The ranks of a standalone run: processes of this same program with the same arguments, told apart
// by environment variables. Not thread-safe; call before LibTorch is used.
#pragma once

#include <optional>

#include "absl/status/statusor.h"

namespace vlm::trainer {

// Who this process is among the ranks.
struct RankPlace {
  int rank = 0;
  int world_size = 1;
  int port = 0;                  // Of the rendezvous on 127.0.0.1.
  std::optional<int> listen_fd;  // Rank 0: the socket that listens there.
};

// What RunRanks told this process; nullopt: it was not started by it.
std::optional<RankPlace> RankFromEnvironment();

// Starts the ranks and waits for all. A rank ends when this process does, and its failure is seen
// by the others within milliseconds. Returns the first exit code that is not 0; a signal is 1.
absl::StatusOr<int> RunRanks(int world_size);

}  // namespace vlm::trainer
