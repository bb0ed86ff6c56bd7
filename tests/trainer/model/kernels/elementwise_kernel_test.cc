#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/trainer/model/kernels/kernel_support.h"

namespace vlm::trainer {
namespace {

class ElementwiseKernelTest : public testing::TestWithParam<std::string> {
 protected:
  const Kernels& kernels() { return *FindKernels(GetParam().c_str()); }

  std::vector<float> Dropped(double p, uint64_t seed, int64_t count) {
    const std::vector<float> ones(static_cast<size_t>(count), 1.0f);
    std::vector<float> out(ones.size());
    kernels().dropout(ones.data(), nullptr, out.data(), 0, count, Mask(p, seed));
    return out;
  }
};

double Share(const std::vector<float>& values) {
  return double(std::count(values.begin(), values.end(), 0.0f)) / double(values.size());
}

TEST_P(ElementwiseKernelTest, DropoutDropsTheWantedShareAndKeepsTheMean) {
  for (double p : {0.1, 0.5, 0.9}) {
    const std::vector<float> out = Dropped(p, 5, 1 << 20);
    EXPECT_NEAR(Share(out), p, 5 * std::sqrt(p * (1 - p) / (1 << 20)));
    EXPECT_NEAR(std::accumulate(out.begin(), out.end(), 0.0) / (1 << 20), 1, 0.02);
  }
}

TEST_P(ElementwiseKernelTest, MasksOfDifferentSeedsAndRowsAreIndependent) {
  const std::vector<float> a = Dropped(0.5, 1, 1 << 20), b = Dropped(0.5, 2, 1 << 20);
  // Same-element, neighbour and next-row agreement of fair coins is one half.
  for (size_t shift : {0, 1, 4096}) {
    size_t same = 0;
    for (size_t i = 0; i + shift < a.size(); ++i) {
      same += (a[i] == 0) == ((shift == 0 ? b : a)[i + shift] == 0) ? 1 : 0;
    }
    EXPECT_NEAR(double(same) / double(a.size() - shift), 0.5, 0.003) << shift;
  }
}

TEST_P(ElementwiseKernelTest, DropoutInPiecesEqualsDropoutAtOnce) {
  const std::vector<float> x = Normal(10'000, 1), add = Normal(10'000, 2);
  std::vector<float> whole(x.size()), pieces(x.size());
  const DropoutMask mask = Mask(0.3, 7);
  kernels().dropout(x.data(), add.data(), whole.data(), 0, 10'000, mask);
  int64_t at = 0;
  for (int64_t end : {1, 4095, 4097, 8000, 10'000}) {
    kernels().dropout(x.data(), add.data(), pieces.data(), at, end, mask);
    at = end;
  }
  // A piece may begin at any element; the mask belongs to the element.
  EXPECT_EQ(whole, pieces);
}

TEST_P(ElementwiseKernelTest, CrossEntropyFollowsItsDefinition) {
  constexpr int64_t kRows = 3, kColumns = 45;
  const std::vector<float> logits = Normal(kRows * kColumns, 1), bias = Normal(kColumns, 2);
  const int64_t targets[kRows] = {44, -100, 0};
  double want = 0;
  std::vector<double> gradient(logits.size());
  for (int64_t i : {0, 2}) {
    double sum = 0;
    const auto logit = [&](int64_t j) { return double(logits[i * kColumns + j]) + bias[j]; };
    for (int64_t j = 0; j < kColumns; ++j) sum += std::exp(logit(j));
    want += std::log(sum) - logit(targets[i]);
    for (int64_t j = 0; j < kColumns; ++j) {
      gradient[i * kColumns + j] = 0.5 * (std::exp(logit(j)) / sum - (j == targets[i] ? 1 : 0));
    }
  }
  std::vector<float> work = logits;
  EXPECT_NEAR(
      kernels().cross_entropy(work.data(), bias.data(), targets, kRows, kColumns, true, 0.5f), want,
      1e-5);
  for (size_t i = 0; i < work.size(); ++i) EXPECT_NEAR(work[i], gradient[i], 1e-6) << i;
  work = logits;
  EXPECT_NEAR(
      kernels().cross_entropy(work.data(), bias.data(), targets, kRows, kColumns, false, 0.5f),
      want, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, ElementwiseKernelTest,
                         testing::ValuesIn(TestedInstructionSets()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace vlm::trainer
