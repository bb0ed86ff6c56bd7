// Checkpoints that the study file says lie in the coordinator's own store. Throws; callers run
// inside Guard.
#pragma once

#include <string>
#include <vector>

#include "server/storage/connection.h"

namespace vlm::storage {

inline constexpr char kCheckpointFolder[] = "checkpoints";   // Below the data directory.
inline constexpr char kCheckpointSuffix[] = ".safetensors";  // Of a whole one.

struct OwnCheckpoint {
  std::string id;
  std::string sha256;
  std::string file;  // Its name in the folder.
};

// All of them, or only the one of an id.
std::vector<OwnCheckpoint> OwnCheckpoints(Connection& c, const std::string& only = "");

}  // namespace vlm::storage
