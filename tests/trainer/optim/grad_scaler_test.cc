#include "worker/trainer/optim/grad_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {
namespace {

class GradScalerTest : public testing::Test {
 protected:
  GradScalerTest() { parameter_.mutable_grad() = at::zeros({1}); }

  // One step whose scaled gradient is `grad`.
  void Step(GradScaler& scaler, double grad) {
    parameter_.grad().detach().fill_(grad);
    scaler.Unscale({{"w", parameter_}});
    skipped_ = scaler.StepWasSkipped();
    scaler.Update();
  }

  at::Tensor parameter_ = at::zeros({1}).requires_grad_();
  bool skipped_ = false;
  GradScalerOptions options_{.enabled = true, .init_scale = 8, .growth_interval = 2};
};

TEST_F(GradScalerTest, ScalesTheLossAndUnscalesTheGradients) {
  GradScaler scaler(options_, at::kCPU);
  EXPECT_EQ(scaler.Scale(at::full({}, 3.0)).item<double>(), 24);
  Step(scaler, 16);
  EXPECT_EQ(parameter_.grad().item<double>(), 2);
  EXPECT_FALSE(skipped_);
}

TEST_F(GradScalerTest, DoublesAfterTheGrowthIntervalOfGoodSteps) {
  GradScaler scaler(options_, at::kCPU);
  Step(scaler, 1);
  EXPECT_EQ(scaler.scale(), 8);
  Step(scaler, 1);
  EXPECT_EQ(scaler.scale(), 16);
}

TEST_F(GradScalerTest, InfinityAndNanSkipTheStepAndHalveTheScale) {
  GradScaler scaler(options_, at::kCPU);
  Step(scaler, INFINITY);
  EXPECT_TRUE(skipped_);
  EXPECT_EQ(scaler.scale(), 4);
  Step(scaler, NAN);
  EXPECT_TRUE(skipped_);
  EXPECT_EQ(scaler.scale(), 2);
  Step(scaler, 1);
  EXPECT_FALSE(skipped_);
}

TEST_F(GradScalerTest, StateContinuesTheGrowth) {
  GradScaler one(options_, at::kCPU);
  Step(one, 1);
  GradScaler two(options_, at::kCPU);
  ASSERT_TRUE(two.Load(one.State()).ok());
  Step(two, 1);
  EXPECT_EQ(two.scale(), 16);
}

TEST_F(GradScalerTest, LoadNamesWhatIsMissing) {
  GradScaler scaler(options_, at::kCPU);
  EXPECT_THAT(scaler.Load({}).message(), testing::HasSubstr("scaler.scale"));
}

TEST_F(GradScalerTest, DisabledItDoesNothing) {
  GradScaler scaler({}, at::kCPU);
  const at::Tensor loss = at::full({}, 3.0);
  EXPECT_EQ(scaler.Scale(loss).item<double>(), 3);
  Step(scaler, INFINITY);
  EXPECT_FALSE(skipped_);
  EXPECT_FALSE(scaler.found_inf().defined());
  EXPECT_TRUE(scaler.State().empty());
}

}  // namespace
}  // namespace vlm::trainer
