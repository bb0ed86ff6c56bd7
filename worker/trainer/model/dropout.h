// Dropout without a stored mask: the kept elements follow from a seed, so that the backward pass
// draws them again. Internal to model/. Thread-safe apart from the generator's own lock.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vlm::trainer {

// residual + dropout(x, p); p 0: the sum. Same shape; float32 result on a CPU.
at::Tensor AddDropout(const at::Tensor& residual, const at::Tensor& x, double p);

// dropout(x, p).
at::Tensor Dropout(const at::Tensor& x, double p);

// 64 bits from the default CPU generator: part of its state, and so of a checkpoint.
uint64_t DrawSeed();

}  // namespace vlm::trainer
