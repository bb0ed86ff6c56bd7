#include "worker/trainer/optim/clip.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {
namespace {

NamedTensors WithGrads(std::initializer_list<double> grads) {
  NamedTensors parameters;
  for (double grad : grads) {
    at::Tensor parameter = at::zeros({1}).requires_grad_();
    parameter.mutable_grad() = at::full({1}, grad);
    parameters.emplace_back("w", parameter);
  }
  return parameters;
}

double Grad(const NamedTensors& parameters, size_t i) {
  return parameters[i].second.grad().item<double>();
}

TEST(ClipTest, ALargerNormIsScaledToTheLimit) {
  const NamedTensors parameters = WithGrads({3, 4});
  EXPECT_NEAR(ClipGradNorm(parameters, 1), 5, 1e-6);
  EXPECT_NEAR(Grad(parameters, 0), 0.6, 1e-6);
  EXPECT_NEAR(Grad(parameters, 1), 0.8, 1e-6);
}

TEST(ClipTest, ASmallerNormAndALimitOfZeroChangeNothing) {
  const NamedTensors parameters = WithGrads({3, 4});
  EXPECT_NEAR(ClipGradNorm(parameters, 10), 5, 1e-6);
  EXPECT_NEAR(ClipGradNorm(parameters, 0), 5, 1e-6);
  EXPECT_EQ(Grad(parameters, 0), 3);
}

TEST(ClipTest, ANormThatIsNotFiniteIsReportedAndNothingIsScaled) {
  const NamedTensors parameters = WithGrads({3, INFINITY});
  EXPECT_FALSE(std::isfinite(ClipGradNorm(parameters, 1)));
  EXPECT_EQ(Grad(parameters, 0), 3);
}

TEST(ClipTest, ParametersWithoutGradientsCountAsZero) {
  EXPECT_EQ(ClipGradNorm({{"w", at::zeros({1}).requires_grad_()}}, 1), 0);
}

}  // namespace
}  // namespace vlm::trainer
