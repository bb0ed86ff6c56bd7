#include "worker/trainer/optim/adamw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {
namespace {

class AdamWTest : public testing::Test {
 protected:
  static at::Tensor Parameter(double value) {
    at::Tensor parameter = at::full({1}, value).requires_grad_();
    parameter.mutable_grad() = at::zeros({1});
    return parameter;
  }
  static void SetGrad(const at::Tensor& parameter, double value) {
    parameter.grad().detach().fill_(value);
  }
  // The definition, in double precision.
  struct Definition {
    double value, m = 0, v = 0;
    int step = 0;
    void Step(double lr, double grad, const AdamWOptions& o) {
      ++step;
      value -= lr * o.weight_decay * value;
      m = o.beta1 * m + (1 - o.beta1) * grad;
      v = o.beta2 * v + (1 - o.beta2) * grad * grad;
      const double mean = m / (1 - std::pow(o.beta1, step));
      const double root = std::sqrt(v / (1 - std::pow(o.beta2, step)));
      value -= lr * mean / (root + o.eps);
    }
  };
};

TEST_F(AdamWTest, FollowsItsDefinition) {
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1};
  const at::Tensor parameter = Parameter(2);
  AdamW optimizer({{"w", parameter}}, options);
  Definition want{2};
  for (double grad : {1.0, -0.5, 3.0, 0.0, 1e-3}) {
    SetGrad(parameter, grad);
    optimizer.Step(0.05, {});
    want.Step(0.05, grad, options);
    EXPECT_NEAR(parameter.item<double>(), want.value, 1e-6);
  }
  EXPECT_EQ(optimizer.step(), 5);
}

TEST_F(AdamWTest, AFoundInfinitySkipsTheUpdateAndItsCount) {
  const at::Tensor parameter = Parameter(2);
  AdamW optimizer({{"w", parameter}}, {});
  SetGrad(parameter, INFINITY);
  optimizer.Step(0.1, at::ones({}));
  EXPECT_EQ(parameter.item<double>(), 2);
  EXPECT_EQ(optimizer.step(), 0);
  SetGrad(parameter, 1);
  optimizer.Step(0.1, at::zeros({}));
  EXPECT_LT(parameter.item<double>(), 2);
  EXPECT_EQ(optimizer.step(), 1);
}

TEST_F(AdamWTest, ZeroGradKeepsTheGradientsMemory) {
  const at::Tensor parameter = Parameter(2);
  AdamW optimizer({{"w", parameter}}, {});
  SetGrad(parameter, 5);
  const void* memory = parameter.grad().const_data_ptr();
  optimizer.ZeroGrad();
  EXPECT_EQ(parameter.grad().item<double>(), 0);
  EXPECT_EQ(parameter.grad().const_data_ptr(), memory);
}

TEST_F(AdamWTest, LoadedStateContinuesExactly) {
  const at::Tensor one = Parameter(2), two = Parameter(2);
  AdamW first({{"w", one}}, {});
  SetGrad(one, 1);
  first.Step(0.1);
  {
    const torch::NoGradGuard no_grad;
    at::Tensor(two).copy_(one);
  }
  AdamW second({{"w", two}}, {});
  ASSERT_TRUE(second.Load(first.State()).ok());
  SetGrad(one, 0.5);
  SetGrad(two, 0.5);
  first.Step(0.1);
  second.Step(0.1);
  EXPECT_TRUE(one.equal(two));
}

TEST_F(AdamWTest, LoadNamesWhatIsMissingOrMisshapen) {
  AdamW optimizer({{"w", Parameter(2)}}, {});
  EXPECT_THAT(optimizer.Load({}).message(), testing::HasSubstr("'optimizer.step' is missing"));
  NamedTensors state = optimizer.State();
  state[1].second = at::zeros({3});
  EXPECT_THAT(optimizer.Load(state).message(), testing::HasSubstr("'optimizer.exp_avg.w'"));
}

}  // namespace
}  // namespace vlm::trainer
