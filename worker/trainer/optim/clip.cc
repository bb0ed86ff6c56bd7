#include "worker/trainer/optim/clip.h"

#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {

double ClipGradNorm(const NamedTensors& parameters, double max_norm) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> grads;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  }
  if (grads.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(grads)).norm().item<double>();
  if (max_norm > 0 && std::isfinite(norm) && norm > max_norm) {
    at::_foreach_mul_(grads, max_norm / norm);
  }
  return norm;
}

}  // namespace vlm::trainer
