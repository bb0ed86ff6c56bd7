// Pictures as the model wants them. Thread-safe (no state).
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "torch/torch.h"
#include "worker/trainer/data/batches.h"

namespace vlm::trainer {

// uint8 [B, 3, I, I] on any device -> float32 there: / 255, less the mean (.485, .456, .406), over
// the deviation (.229, .224, .225) of each colour.
at::Tensor Normalise(const at::Tensor& pixels);

// A batch on `device`.
struct DeviceBatch {
  at::Tensor images;   // float32 [B, 3, I, I], normalised.
  at::Tensor tokens;   // int64 [B, T]
  at::Tensor targets;  // int64 [B, T]
};

// Copies; `batch` can be reused at once. `pin`: through pinned memory (CUDA only).
DeviceBatch ToDevice(const data::Batch& batch, int64_t img_size, const torch::Device& device,
                     bool pin);

}  // namespace vlm::trainer
