// The autograd side of attention: layouts, gradients and types. The kernel's own tests are in
// kernels/.
#include "worker/trainer/model/attention.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace vlm::trainer {
namespace {

constexpr int64_t kHeads = 3, kWidth = 24;

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>();
}

at::Tensor Split(const at::Tensor& x) {
  return x.view({x.size(0), x.size(1), kHeads, kWidth / kHeads}).transpose(1, 2);
}

at::Tensor Plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                 bool causal) {
  at::Tensor scores = Split(q).matmul(Split(k).transpose(-2, -1)) * scale;
  if (causal) {
    const at::Tensor seen = at::ones(scores.sizes(), at::kBool).tril();
    scores = scores.masked_fill(seen.logical_not(), -INFINITY);
  }
  return scores.softmax(-1).matmul(Split(v)).transpose(1, 2).flatten(2);
}

TEST(AttentionTest, SelfAttentionAndItsGradientEqualThePlainForm) {
  for (bool causal : {false, true}) {
    const at::Tensor fused = at::randn({2, 19, 3 * kWidth}).requires_grad_();
    const at::Tensor plain = fused.detach().clone().requires_grad_();
    const at::Tensor weight = at::randn({2, 19, kWidth});
    const auto parts = plain.chunk(3, 2);

    const at::Tensor got =
        SelfAttention(fused, {.heads = kHeads, .scale = 0.2, .causal = causal, .dropout = 0});
    const at::Tensor want = Plain(parts[0], parts[1], parts[2], 0.2, causal);
    (got * weight).sum().backward();
    (want * weight).sum().backward();

    EXPECT_LT(MaxDifference(got, want), 2e-6);
    EXPECT_LT(MaxDifference(fused.grad(), plain.grad()), 1e-5);
  }
}

TEST(AttentionTest, CrossAttentionAndItsGradientsEqualThePlainForm) {
  const at::Tensor query = at::randn({2, 1, kWidth}).requires_grad_();
  const at::Tensor key_value = at::randn({2, 11, 2 * kWidth}).requires_grad_();
  const at::Tensor query2 = query.detach().clone().requires_grad_();
  const at::Tensor key_value2 = key_value.detach().clone().requires_grad_();
  const auto parts = key_value2.chunk(2, 2);

  const at::Tensor got = CrossAttention(
      query, key_value, {.heads = kHeads, .scale = 0.2, .causal = false, .dropout = 0});
  const at::Tensor want = Plain(query2, parts[0], parts[1], 0.2, false);
  got.square().sum().backward();
  want.square().sum().backward();

  EXPECT_LT(MaxDifference(got, want), 2e-6);
  EXPECT_LT(MaxDifference(query.grad(), query2.grad()), 1e-5);
  EXPECT_LT(MaxDifference(key_value.grad(), key_value2.grad()), 1e-5);
}

TEST(AttentionTest, DropoutFollowsTheGeneratorsSeed) {
  const at::Tensor qkv = at::randn({1, 16, 3 * kWidth});
  const AttentionOptions options{.heads = kHeads, .scale = 0.2, .causal = true, .dropout = 0.5};
  const auto draw = [&](uint64_t seed) {
    torch::manual_seed(seed);
    return SelfAttention(qkv, options);
  };
  EXPECT_TRUE(draw(1).equal(draw(1)));
  EXPECT_FALSE(draw(1).equal(draw(2)));
}

TEST(AttentionTest, DropoutKeepsTheExpectation) {
  torch::manual_seed(3);
  const at::Tensor qkv = at::randn({1, 4, 3 * kWidth});
  const at::Tensor want = SelfAttention(qkv, {.heads = kHeads, .scale = 0.2, .causal = true});
  at::Tensor sum = at::zeros_like(want);
  for (int i = 0; i < 4000; ++i) {
    sum += SelfAttention(qkv, {.heads = kHeads, .scale = 0.2, .causal = true, .dropout = 0.3});
  }
  EXPECT_LT(MaxDifference(sum / 4000, want), 0.1);
}

TEST(AttentionTest, ResultsDoNotDependOnTheNumberOfThreads) {
  const at::Tensor qkv = at::randn({4, 50, 3 * kWidth});
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    torch::manual_seed(5);
    return SelfAttention(qkv, {.heads = kHeads, .scale = 0.2, .causal = true, .dropout = 0.1});
  };
  const at::Tensor one = run(1);
  const at::Tensor two = run(2);
  at::set_num_threads(1);
  EXPECT_TRUE(one.equal(two));
}

TEST(AttentionTest, Bfloat16InGivesBfloat16Out) {
  const at::Tensor qkv = at::randn({1, 8, 3 * kWidth}).to(at::kBFloat16).requires_grad_();
  const at::Tensor out = SelfAttention(qkv, {.heads = kHeads, .scale = 0.2, .causal = true});
  out.sum().backward();
  EXPECT_EQ(out.scalar_type(), at::kBFloat16);
  EXPECT_EQ(qkv.grad().scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace vlm::trainer
