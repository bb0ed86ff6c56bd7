#include "worker/trainer/optim/precision.h"

#include <ATen/autocast_mode.h>
#include <cpuid.h>

#include "common/status.h"

namespace vlm::trainer {
namespace {

// AVX512_BF16 (leaf 7.1 eax bit 5) or AMX_BF16 (leaf 7.0 edx bit 22).
bool CpuMultipliesBf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) != 0) return true;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1) != 0;
}

constexpr char kSlow[] =
    "this CPU has neither AVX512_BF16 nor AMX, where bfloat16 is many times slower than float32";

}  // namespace

absl::StatusOr<PrecisionPlan> PlanPrecision(const v1::TrainConfig& config, c10::DeviceType device) {
  return PlanPrecision(config, device, CpuMultipliesBf16());
}

absl::StatusOr<PrecisionPlan> PlanPrecision(const v1::TrainConfig& config, c10::DeviceType device,
                                            bool cpu_multiplies_bf16) {
  PrecisionPlan plan;
  const v1::Precision mode = config.precision_mode();
  const bool cpu = device == c10::DeviceType::CPU;
  if (mode == v1::PRECISION_FP16 && cpu) {
    return absl::FailedPreconditionError(
        "precision_mode: fp16 needs a GPU, and this rank runs on a CPU, whose float16 arithmetic "
        "is "
        "emulated; use mixed, bf16 or fp32");
  }
  if (mode == v1::PRECISION_FP32 || mode == v1::PRECISION_UNSPECIFIED) return plan;
  if (!config.amp_enabled()) {
    plan.note = "amp_enabled is false: float32 throughout";
    return plan;
  }
  if (mode == v1::PRECISION_FP16 || (mode == v1::PRECISION_MIXED && !cpu)) {
    plan.autocast = true;
    plan.dtype = at::kHalf;
    plan.grad_scaler = config.grad_scaler_enabled();
    return plan;
  }
  if (cpu && !cpu_multiplies_bf16) {
    if (mode == v1::PRECISION_BF16) {
      return absl::FailedPreconditionError(
          absl::StrCat("precision_mode: bf16 is refused: ", kSlow, "; use fp32 or mixed"));
    }
    plan.note = absl::StrCat("precision_mode mixed runs as fp32: ", kSlow);
    return plan;
  }
  plan.autocast = true;
  plan.dtype = at::kBFloat16;
  if (cpu && mode == v1::PRECISION_MIXED)
    plan.note = "mixed on a CPU is bfloat16, without a scaler";
  return plan;
}

AutocastGuard::AutocastGuard(const PrecisionPlan& plan, c10::DeviceType device)
    : active_(plan.autocast), device_(device) {
  if (!active_) return;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  was_dtype_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, plan.dtype);
  at::autocast::increment_nesting();
}

AutocastGuard::~AutocastGuard() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, was_dtype_);
}

}  // namespace vlm::trainer
