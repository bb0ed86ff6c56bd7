// lm_head and mean cross-entropy in one step, in chunks of rows. Internal to model/.
#pragma once

#include <ATen/core/Tensor.h>

namespace vlm::trainer {

// hidden: [N, C]; weight: [V, C]; bias: [V]; targets: int64 [N], each in [0, V) or -100 (ignored).
// Float32 scalar. With gradients enabled they are computed in the same pass, while a chunk's logits
// are still in the cache (as in https://arxiv.org/abs/2410.10989), so [N, V] never exists.
at::Tensor LinearCrossEntropy(const at::Tensor& hidden, const at::Tensor& weight,
                              const at::Tensor& bias, const at::Tensor& targets);

}  // namespace vlm::trainer
