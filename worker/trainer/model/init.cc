#include "worker/trainer/model/init.h"

#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {

at::Tensor DrawLinearWeight(int64_t out, int64_t in) {
  return torch::nn::init::kaiming_uniform_(torch::empty({out, in}), std::sqrt(5.0));
}

at::Tensor DrawLinearBias(int64_t out, int64_t in) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  return torch::nn::init::uniform_(torch::empty({out}), -bound, bound);
}

at::Tensor DrawConvWeight(int64_t out, int64_t channels, int64_t side) {
  return torch::nn::init::kaiming_uniform_(torch::empty({out, channels, side, side}),
                                           std::sqrt(5.0));
}

at::Tensor DrawNormal(at::IntArrayRef sizes) { return torch::empty(sizes).normal_(0, 1); }

}  // namespace vlm::trainer
