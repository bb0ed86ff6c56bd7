// PyTorch's default initial values, drawn from the default CPU generator. Internal to model/.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vlm::trainer {

// [out, in], uniform in ±1/sqrt(in) the way nn.Linear draws it (kaiming_uniform_ with a = sqrt 5).
at::Tensor DrawLinearWeight(int64_t out, int64_t in);
// [out], uniform in ±1/sqrt(in).
at::Tensor DrawLinearBias(int64_t out, int64_t in);
// [out, channels, side, side], as nn.Conv2d.
at::Tensor DrawConvWeight(int64_t out, int64_t channels, int64_t side);
// Standard normal: nn.Embedding, torch.randn.
at::Tensor DrawNormal(at::IntArrayRef sizes);

}  // namespace vlm::trainer
