// Fetches checkpoints from the coordinator, verified by their hash.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/session.h"

namespace vlm::client {

// "ckpt-<attempt>-<step>", and nothing else: such an id is safe as a file name.
bool IsCheckpointId(absl::string_view text);

// A checkpoint id for a checkpoint id, or the newest checkpoint of a trial (STUDY/NUMBER or id).
// NOT_FOUND: the trial has none.
absl::StatusOr<std::string> ResolveCheckpoint(Session& session, const std::string& text);

// Writes the checkpoint to `path` (aside, synced, then renamed). A broken transfer goes on where it
// stopped. DATA_LOSS: what came does not have the registered hash. NOT_FOUND: no such checkpoint,
// or it was never uploaded.
absl::StatusOr<v1::Checkpoint> Download(Session& session, const std::string& checkpoint_id,
                                        const std::string& path);

// The cached copy's path; downloads it first if it is not there or damaged.
absl::StatusOr<std::string> CachedCheckpoint(Session& session, const std::string& checkpoint_id);

}  // namespace vlm::client
