// The loss on rows that the training does not see. Not thread-safe. Owner: Trainer.
#pragma once

#include "absl/status/statusor.h"
#include "worker/trainer/loop/setup.h"

namespace vlm::trainer {

// Mean loss over eval_iters batches of val_batch_size rows, dropout off, no gradients; always the
// same batches. The ranks share the batches among them; every rank gets the result. The validation
// part wraps around, so a batch that comes again is not computed again but counts again.
absl::StatusOr<double> Validate(Training* training);

}  // namespace vlm::trainer
