#include "worker/trainer/model/linear_cross_entropy.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace vlm::trainer {
namespace {

struct Operands {
  at::Tensor hidden, weight, bias;

  // More rows than a chunk holds with this many classes, so that several chunks are summed.
  static Operands Make(int64_t rows, int64_t classes) {
    torch::manual_seed(1);
    return {at::randn({rows, 16}).requires_grad_(), at::randn({classes, 16}).requires_grad_(),
            at::randn({classes}).requires_grad_()};
  }
  Operands Copy() const {
    return {hidden.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_(),
            bias.detach().clone().requires_grad_()};
  }
  at::Tensor Fused(const at::Tensor& targets) const {
    return LinearCrossEntropy(hidden, weight, bias, targets);
  }
  at::Tensor Plain(const at::Tensor& targets) const {
    return at::cross_entropy_loss(at::linear(hidden, weight, bias), targets);
  }
};

void ExpectClose(const at::Tensor& a, const at::Tensor& b) {
  const double largest = b.abs().max().item<double>();
  EXPECT_LT((a - b).abs().max().item<double>(), 1e-5 * largest);
}

TEST(LinearCrossEntropyTest, LossAndGradientsEqualThePlainFormOverSeveralChunks) {
  const Operands fused = Operands::Make(300, 20'000);
  const Operands plain = fused.Copy();
  at::Tensor targets = at::randint(0, 20'000, {300}, at::kLong);
  targets.narrow(0, 10, 5).fill_(-100);

  const at::Tensor got = fused.Fused(targets);
  const at::Tensor want = plain.Plain(targets);
  (got * 3).backward();
  (want * 3).backward();

  EXPECT_NEAR(got.item<double>(), want.item<double>(), 1e-5);
  ExpectClose(fused.hidden.grad(), plain.hidden.grad());
  ExpectClose(fused.weight.grad(), plain.weight.grad());
  ExpectClose(fused.bias.grad(), plain.bias.grad());
}

TEST(LinearCrossEntropyTest, WithoutGradientsTheLossIsTheSame) {
  const Operands operands = Operands::Make(50, 33);
  const at::Tensor targets = at::randint(0, 33, {50}, at::kLong);
  const double with = operands.Fused(targets).item<double>();
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(operands.Fused(targets).item<double>(), with);
}

TEST(LinearCrossEntropyTest, OnlyIgnoredTargetsGiveZeroAndZeroGradients) {
  const Operands operands = Operands::Make(4, 9);
  const at::Tensor loss = operands.Fused(at::full({4}, -100, at::kLong));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(operands.weight.grad().abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace vlm::trainer
