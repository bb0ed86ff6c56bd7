// Gradient clipping by the global L2 norm (https://arxiv.org/abs/1211.5063).
#pragma once

#include <vector>

#include "worker/trainer/model/named_tensors.h"

namespace vlm::trainer {

// Returns the global L2 norm before clipping; scales all gradients by max_norm / norm if the norm
// is larger. max_norm 0: measures only. A norm that is not finite is returned and nothing is
// scaled.
double ClipGradNorm(const NamedTensors& parameters, double max_norm);

}  // namespace vlm::trainer
