// What precision_mode and amp_enabled come to on this machine, and the guard that does it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

struct PrecisionPlan {
  bool autocast = false;              // False: float32 throughout.
  at::ScalarType dtype = at::kFloat;  // Of matrix products inside the guard.
  bool grad_scaler = false;           // Use a GradScaler (float16 only).
  std::string note;                   // For the log when the wish was bent; may be empty.
};

// fp32: no autocast. mixed: float16 on CUDA, bfloat16 on a CPU. bf16, fp16: as named. amp_enabled
// false: no autocast whatever the mode. FAILED_PRECONDITION with the reason: fp16 on a CPU; bf16 or
// mixed on a CPU with neither avx512_bf16 nor AMX (hundreds of times slower than fp32 there) is run
// as fp32 for mixed (with a note) and refused for bf16.
absl::StatusOr<PrecisionPlan> PlanPrecision(const v1::TrainConfig& config, c10::DeviceType device);
// The same for a CPU that multiplies bfloat16 in hardware or not: what the tests ask.
absl::StatusOr<PrecisionPlan> PlanPrecision(const v1::TrainConfig& config, c10::DeviceType device,
                                            bool cpu_multiplies_bf16);

// Turns autocast on for the calling thread as long as it lives. Around the forward pass only.
class AutocastGuard {
 public:
  AutocastGuard(const PrecisionPlan& plan, c10::DeviceType device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  const bool active_;
  const c10::DeviceType device_;
  bool was_enabled_ = false;
  at::ScalarType was_dtype_ = at::kFloat;
};

}  // namespace vlm::trainer
