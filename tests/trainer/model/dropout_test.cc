#include "worker/trainer/model/dropout.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace vlm::trainer {
namespace {

TEST(DropoutTest, RateZeroAddsTheResidualAlone) {
  const at::Tensor x = at::randn({3, 5}), residual = at::randn({3, 5});
  EXPECT_TRUE(AddDropout(residual, x, 0).equal(residual + x));
  EXPECT_TRUE(Dropout(x, 0).equal(x));
}

TEST(DropoutTest, GradientUsesTheMaskOfTheForwardPass) {
  torch::manual_seed(1);
  const at::Tensor x = at::ones({100, 100}).requires_grad_();
  const at::Tensor residual = at::zeros({100, 100}).requires_grad_();

  const at::Tensor out = AddDropout(residual, x, 0.25);
  out.sum().backward();

  // With x = 1 the output is the mask itself, and so must be the gradient.
  EXPECT_TRUE(x.grad().equal(out.detach()));
  EXPECT_TRUE(residual.grad().equal(at::ones({100, 100})));
  EXPECT_NEAR(out.eq(0).to(at::kFloat).mean().item<double>(), 0.25, 0.02);
}

TEST(DropoutTest, GeneratorStateReproducesTheMasks) {
  const at::Tensor x = at::ones({1000});
  torch::manual_seed(4);
  const at::Tensor state = at::detail::getDefaultCPUGenerator().get_state();
  const at::Tensor first = Dropout(x, 0.5);
  EXPECT_FALSE(Dropout(x, 0.5).equal(first));

  at::Generator generator = at::detail::getDefaultCPUGenerator();
  generator.set_state(state);

  EXPECT_TRUE(Dropout(x, 0.5).equal(first));
}

}  // namespace
}  // namespace vlm::trainer
