#include "worker/trainer/optim/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace vlm::trainer {
namespace {

using testing::HasSubstr;
constexpr auto kCpu = c10::DeviceType::CPU;
constexpr auto kCuda = c10::DeviceType::CUDA;

v1::TrainConfig Config(v1::Precision mode, bool amp = true) {
  v1::TrainConfig config;
  config.set_precision_mode(mode);
  config.set_amp_enabled(amp);
  config.set_grad_scaler_enabled(true);
  return config;
}

TEST(PrecisionTest, Fp32UsesNoAutocast) {
  EXPECT_FALSE(PlanPrecision(Config(v1::PRECISION_FP32), kCpu, true)->autocast);
}

TEST(PrecisionTest, MixedIsBfloat16OnACpuAndFloat16WithAScalerOnCuda) {
  const auto cpu = PlanPrecision(Config(v1::PRECISION_MIXED), kCpu, true);
  EXPECT_EQ(cpu->dtype, at::kBFloat16);
  EXPECT_FALSE(cpu->grad_scaler);
  const auto cuda = PlanPrecision(Config(v1::PRECISION_MIXED), kCuda, true);
  EXPECT_EQ(cuda->dtype, at::kHalf);
  EXPECT_TRUE(cuda->grad_scaler);
}

TEST(PrecisionTest, Fp16OnACpuIsRefusedWithAReason) {
  const auto plan = PlanPrecision(Config(v1::PRECISION_FP16), kCpu, true);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(plan.status().message(), HasSubstr("needs a GPU"));
}

TEST(PrecisionTest, ACpuWithoutBfloat16RunsMixedAsFp32AndRefusesBf16) {
  const auto mixed = PlanPrecision(Config(v1::PRECISION_MIXED), kCpu, false);
  EXPECT_FALSE(mixed->autocast);
  EXPECT_THAT(mixed->note, HasSubstr("AVX512_BF16"));
  EXPECT_FALSE(PlanPrecision(Config(v1::PRECISION_BF16), kCpu, false).ok());
}

TEST(PrecisionTest, AmpEnabledFalseSwitchesAutocastOff) {
  const auto plan = PlanPrecision(Config(v1::PRECISION_MIXED, false), kCpu, true);
  EXPECT_FALSE(plan->autocast);
  EXPECT_THAT(plan->note, HasSubstr("amp_enabled"));
}

TEST(PrecisionTest, GuardCastsMatrixProductsAsLongAsItLives) {
  PrecisionPlan plan;
  plan.autocast = true;
  plan.dtype = at::kBFloat16;
  const at::Tensor a = at::ones({4, 4});
  {
    const AutocastGuard guard(plan, kCpu);
    EXPECT_EQ(a.mm(a).scalar_type(), at::kBFloat16);
  }
  EXPECT_EQ(a.mm(a).scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace vlm::trainer
