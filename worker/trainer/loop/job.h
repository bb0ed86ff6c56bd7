// One training to run: what an agent's Launch says, or what a standalone run makes up.
#pragma once

#include <optional>
#include <string>

#include "vlm/v1/trainer.pb.h"

namespace vlm::trainer {

struct Job {
  v1::Launch launch;             // threads 0: as many as the machine has.
  std::optional<int> listen_fd;  // Rank 0 of several: the rendezvous socket. Owned by the job.
  bool final_checkpoint = true;
};

}  // namespace vlm::trainer
