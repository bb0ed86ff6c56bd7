// Dynamic loss scaling for fp16 (https://arxiv.org/abs/1710.03740): the loss is multiplied by a
// scale that doubles after `growth_interval` good steps and halves after a step with an inf or NaN,
// which is skipped. Disabled, it does nothing. Not thread-safe. Owner: the training loop.
//
// A step: Scale(loss).backward(); Unscale(parameters); optimizer.Step(lr, found_inf()); Update().
// With DDP, Unscale after the all-reduce: then an inf reaches all ranks and all skip together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "worker/trainer/model/named_tensors.h"

namespace vlm::trainer {

struct GradScalerOptions {
  bool enabled = false;
  double init_scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  int64_t growth_interval = 2000;  // Steps.
};

class GradScaler {
 public:
  GradScaler(const GradScalerOptions& options, c10::Device device);

  at::Tensor Scale(const at::Tensor& loss) const;  // The loss itself when disabled.
  void Unscale(const NamedTensors& parameters);    // Divides gradients, notes inf and NaN.
  at::Tensor found_inf() const;                    // float32 scalar; undefined when disabled.
  bool StepWasSkipped() const;                     // Since the last Unscale. Waits for a GPU.
  void Update();                                   // Grows or backs off, once per step.
  double scale() const;                            // 1 when disabled. Waits for a GPU.

  // "scaler.scale", "scaler.growth_tracker"; nothing when disabled.
  NamedTensors State() const;
  // Takes entries named "scaler.*", ignores the rest. INVALID_ARGUMENT: missing or not a scalar.
  absl::Status Load(const NamedTensors& state);

 private:
  const GradScalerOptions options_;
  at::Tensor scale_;           // float32
  at::Tensor growth_tracker_;  // int32
  at::Tensor found_inf_;       // float32, 0 or 1
};

}  // namespace vlm::trainer
