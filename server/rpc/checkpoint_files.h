// The coordinator's own checkpoint store: files DATA/checkpoints/<checkpoint_id>.safetensors,
// written aside, hashed, synced, renamed. Thread-safe for different ids.
#pragma once

#include <fstream>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vlm/v1/fleet.pb.h"

namespace vlm::rpc {

class CheckpointFiles {
 public:
  // Makes the folder.
  static absl::StatusOr<CheckpointFiles> Open(const std::string& data_dir);

  // Takes the chunks that `next` yields until it returns false. DATA_LOSS: the hash differs.
  // RESOURCE_EXHAUSTED: no space. INVALID_ARGUMENT: an id that is no checkpoint id, or a hole.
  absl::Status Receive(const v1::Checkpoint& checkpoint,
                       const std::function<bool(v1::Chunk*)>& next) const;
  // Sends the bytes from `offset` on. DATA_LOSS: they no longer have their hash.
  absl::Status Send(const v1::Checkpoint& checkpoint, int64_t offset,
                    const std::function<bool(const v1::Chunk&)>& send) const;
  void Remove(const std::string& checkpoint_id) const;
  absl::StatusOr<std::string> PathOf(const std::string& checkpoint_id) const;

 private:
  explicit CheckpointFiles(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace vlm::rpc
