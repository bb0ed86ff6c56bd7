// The fused attention against its definition in double precision, for every instruction set that
// this machine has, in shapes that leave partial blocks and partial vectors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/trainer/model/kernels/kernel_support.h"

namespace vlm::trainer {
namespace {

struct Case {
  int64_t rows, columns, head;
  bool causal;
  double dropout;
};

// One head's operands, packed as query | key | value with strides wider than the head.
struct Problem {
  Case shape;
  int64_t stride;
  std::vector<float> query, key, value, out_grad;
  float scale = 0.3f;
  DropoutMask mask;

  explicit Problem(const Case& c)
      : shape(c),
        stride(c.head + 5),
        query(Normal(static_cast<size_t>(c.rows * stride), 1)),
        key(Normal(static_cast<size_t>(c.columns * stride), 2)),
        value(Normal(static_cast<size_t>(c.columns * stride), 3)),
        out_grad(Normal(static_cast<size_t>(c.rows * stride), 4)),
        mask(c.dropout > 0 ? Mask(c.dropout, 99) : DropoutMask{}) {}

  AttentionHead Head() const {
    AttentionHead in{};
    in.query = query.data();
    in.key = key.data();
    in.value = value.data();
    in.query_stride = in.key_stride = in.value_stride = stride;
    in.rows = shape.rows;
    in.columns = shape.columns;
    in.head = shape.head;
    in.scale = scale;
    in.causal = shape.causal;
    in.mask = mask;
    in.mask_row = 1000;
    return in;
  }
};

struct Result {
  std::vector<double> out, query, key, value;  // Output and gradients, strided like the operands.
};

// Weights of row i before dropout.
std::vector<double> WeightsOf(const Problem& p, int64_t i) {
  std::vector<double> weights(static_cast<size_t>(p.shape.columns));
  const int64_t seen = p.shape.causal ? std::min(i + 1, p.shape.columns) : p.shape.columns;
  double sum = 0;
  for (int64_t j = 0; j < seen; ++j) {
    double score = 0;
    for (int64_t d = 0; d < p.shape.head; ++d) {
      score += double(p.query[i * p.stride + d]) * p.key[j * p.stride + d];
    }
    weights[j] = std::exp(score * p.scale);
    sum += weights[j];
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Row i's share of outputs and gradients; `mask` holds the factor of each column.
void AddRow(const Problem& p, int64_t i, const std::vector<float>& mask, Result* r) {
  const std::vector<double> weights = WeightsOf(p, i);
  std::vector<double> grads(weights.size());
  double mean = 0;
  for (size_t j = 0; j < weights.size(); ++j) {
    for (int64_t d = 0; d < p.shape.head; ++d) {
      const double value = p.value[j * p.stride + d], grad = p.out_grad[i * p.stride + d];
      r->out[i * p.stride + d] += weights[j] * mask[j] * value;
      r->value[j * p.stride + d] += weights[j] * mask[j] * grad;
      grads[j] += grad * value * mask[j];
    }
    mean += grads[j] * weights[j];
  }
  for (size_t j = 0; j < weights.size(); ++j) {
    const double score_grad = weights[j] * (grads[j] - mean) * p.scale;
    for (int64_t d = 0; d < p.shape.head; ++d) {
      r->query[i * p.stride + d] += score_grad * p.key[j * p.stride + d];
      r->key[j * p.stride + d] += score_grad * p.query[i * p.stride + d];
    }
  }
}

Result Definition(const Problem& p, const Kernels& kernels) {
  Result r{std::vector<double>(p.query.size()), std::vector<double>(p.query.size()),
           std::vector<double>(p.key.size()), std::vector<double>(p.key.size())};
  for (int64_t i = 0; i < p.shape.rows; ++i) {
    std::vector<float> mask(static_cast<size_t>(p.shape.columns), 1.0f);
    if (p.mask.threshold != 0) mask = RowMask(kernels, p.mask, 1000 + i, p.shape.columns);
    AddRow(p, i, mask, &r);
  }
  return r;
}

double Error(const std::vector<float>& got, const std::vector<double>& want) {
  double most = 1e-30, error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    most = std::max(most, std::fabs(want[i]));
    error = std::max(error, std::fabs(got[i] - want[i]));
  }
  return error / most;
}

class AttentionKernelTest : public testing::TestWithParam<std::string> {
 protected:
  const Kernels& kernels() { return *FindKernels(GetParam().c_str()); }

  void Compare(const Case& shape) {
    const Problem p(shape);
    const Result want = Definition(p, kernels());
    std::vector<float> scratch(
        static_cast<size_t>(kernels().attention_scratch(shape.rows, shape.columns, shape.head)));
    std::vector<float> out(p.query.size()), dq(p.query.size()), dk(p.key.size()), dv(p.key.size()),
        log_sum(static_cast<size_t>(shape.rows));
    kernels().attention_forward(p.Head(), out.data(), p.stride, log_sum.data(), scratch.data());
    const AttentionBackward grads{out.data(), p.out_grad.data(), p.stride,  log_sum.data(),
                                  dq.data(),  dk.data(),         dv.data(), p.stride,
                                  p.stride,   p.stride};
    kernels().attention_backward(p.Head(), grads, scratch.data());
    EXPECT_LT(Error(out, want.out), 3e-6);
    EXPECT_LT(Error(dq, want.query), 1e-5);
    EXPECT_LT(Error(dk, want.key), 1e-5);
    EXPECT_LT(Error(dv, want.value), 1e-5);
  }
};

TEST_P(AttentionKernelTest, ForwardAndGradientsFollowTheDefinition) {
  for (const Case& shape : {Case{37, 37, 64, false, 0}, Case{65, 65, 16, true, 0},
                            Case{1, 37, 64, false, 0}, Case{100, 100, 6, true, 0}}) {
    SCOPED_TRACE(shape.rows);
    Compare(shape);
  }
}

TEST_P(AttentionKernelTest, DropoutIsTheSameInForwardAndBackward) {
  for (const Case& shape :
       {Case{33, 33, 16, true, 0.1}, Case{1, 10, 10, false, 0.5}, Case{37, 37, 10, false, 0.2}}) {
    SCOPED_TRACE(shape.rows);
    Compare(shape);
  }
}

TEST_P(AttentionKernelTest, HugeScoresDoNotOverflow) {
  Problem p({20, 20, 8, true, 0});
  p.scale = 1e4f;
  std::vector<float> scratch(static_cast<size_t>(kernels().attention_scratch(20, 20, 8)));
  std::vector<float> out(p.query.size()), log_sum(20);

  kernels().attention_forward(p.Head(), out.data(), p.stride, log_sum.data(), scratch.data());

  for (float value : out) EXPECT_TRUE(std::isfinite(value));
}

TEST_P(AttentionKernelTest, MasksDoNotDependOnTheInstructionSet) {
  const DropoutMask mask = Mask(0.3, 1);
  for (int64_t row : {0, 1, 77}) {
    EXPECT_EQ(RowMask(kernels(), mask, row, 100),
              RowMask(*FindKernels("baseline"), mask, row, 100));
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, AttentionKernelTest,
                         testing::ValuesIn(TestedInstructionSets()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace vlm::trainer
