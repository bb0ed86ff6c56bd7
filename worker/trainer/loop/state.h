// Between a Training and a checkpoint. Not thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/trainer/loop/setup.h"

namespace vlm::trainer {

// Everything a resumed run needs to go on bit for bit (same world size, CPU). A collective: every
// rank calls it, for each gives its generator's state; the tensors are live, not copies.
absl::StatusOr<NamedTensors> CollectState(Training* training);
CheckpointInfo DescribeState(const Training& training);

// INVALID_ARGUMENT: of another model or optimizer; names what does not fit. With another world size
// than the file's the generators start anew (dropout masks differ, the training is as good).
absl::Status RestoreState(const LoadedCheckpoint& checkpoint, Training* training);

}  // namespace vlm::trainer
