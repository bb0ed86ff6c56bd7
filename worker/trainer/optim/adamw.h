// AdamW with decoupled weight decay (Loshchilov & Hutter, https://arxiv.org/abs/1711.05101) over
// LibTorch's fused kernel; weight_decay 0 is plain Adam. Not thread-safe. Owner: the training loop.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "worker/trainer/model/named_tensors.h"

namespace vlm::trainer {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;  // Of every parameter, as the reference does.
};

class AdamW {
 public:
  // `parameters`: NamedParameters(model), all on one device, float32.
  AdamW(const NamedTensors& parameters, const AdamWOptions& options);

  // One update from the parameters' gradients. A parameter without a gradient counts as zero
  // gradient. `found_inf` (GradScaler::found_inf, may be undefined): the update is skipped, and the
  // step is not counted, if it holds a non-zero value.
  void Step(double learning_rate, const at::Tensor& found_inf = {});

  // Zeroes gradients in place (DDP's gradients are views of its buckets and must stay).
  void ZeroGrad();

  int64_t step() const;  // Updates done. Waits for a GPU.

  // "optimizer.step" and "optimizer.{exp_avg,exp_avg_sq}.<parameter>": live tensors, not copies.
  NamedTensors State() const;
  // Takes the entries whose name starts with "optimizer." and ignores the rest. INVALID_ARGUMENT
  // names what is missing or misshaped; nothing is changed then.
  absl::Status Load(const NamedTensors& state);

 private:
  const AdamWOptions options_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> exp_avg_;
  std::vector<at::Tensor> exp_avg_sq_;
  at::Tensor step_;                // float32 scalar.
  std::vector<at::Tensor> steps_;  // step_ once per parameter: what the kernel wants.
};

}  // namespace vlm::trainer
