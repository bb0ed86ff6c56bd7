#include "worker/trainer/model/vlm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/trainer/model/tiny_model.h"

namespace vlm::trainer {
namespace {

using testing::HasSubstr;

class VlmModelTest : public testing::Test {
 protected:
  VlmModelTest() {
    torch::manual_seed(1);
    images_ = at::randn({2, 3, 8, 8});
    tokens_ = at::randint(0, 11, {2, 5}, at::kLong);
    targets_ = at::randint(0, 11, {2, 5}, at::kLong);
  }
  static NamedTensors Copies(const VlmModel& model) {
    NamedTensors copies;
    for (const auto& [name, tensor] : model.StateDict()) copies.emplace_back(name, tensor.clone());
    return copies;
  }
  static std::string Refusal(VlmModel& model, const NamedTensors& state) {
    const absl::Status status = model.LoadStateDict(state);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  at::Tensor images_, tokens_, targets_;
};

TEST_F(VlmModelTest, EveryParameterGetsAGradientInEveryStep) {
  VlmModel model(TinyShape());
  model.Loss(images_, tokens_, targets_).backward();
  for (const auto& [name, parameter] : NamedParameters(model)) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_GT(parameter.grad().abs().max().item<double>(), 0) << name;
  }
}

TEST_F(VlmModelTest, StateDictRoundTripGivesEqualLogits) {
  VlmModel from(TinyShape()), to(TinyShape());
  from.eval();
  to.eval();
  ASSERT_FALSE(from.Logits(images_, tokens_).equal(to.Logits(images_, tokens_)));

  ASSERT_TRUE(to.LoadStateDict(Copies(from)).ok());

  EXPECT_TRUE(from.Logits(images_, tokens_).equal(to.Logits(images_, tokens_)));
}

TEST_F(VlmModelTest, AMissingNameIsRefusedAndNothingChanges) {
  VlmModel model(TinyShape()), other(TinyShape());
  const NamedTensors before = Copies(model);
  NamedTensors state = Copies(other);
  state.pop_back();

  EXPECT_THAT(Refusal(model, state), HasSubstr("1 missing (decoder.lm_head.bias)"));

  const NamedTensors after = model.StateDict();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i].second.equal(after[i].second));
}

TEST_F(VlmModelTest, UnexpectedRepeatedAndMisshapenNamesAreRefused) {
  VlmModel model(TinyShape());
  NamedTensors state = Copies(model);
  state.emplace_back("decoder.extra", at::zeros({1}));
  EXPECT_THAT(Refusal(model, state), HasSubstr("1 unexpected (decoder.extra)"));
  state.back() = state.front();
  EXPECT_THAT(Refusal(model, state), HasSubstr("twice"));
  state.pop_back();
  state.back().second = at::zeros({12});
  EXPECT_THAT(Refusal(model, state), HasSubstr("[12] Float instead of [11] Float"));
}

TEST_F(VlmModelTest, LossIsTheMeanCrossEntropyOfTheTextRows) {
  VlmModel model(TinyShape());
  model.eval();
  const at::Tensor rows = model.Logits(images_, tokens_).narrow(1, 1, 5).flatten(0, 1);
  const at::Tensor want = at::cross_entropy_loss(rows, targets_.flatten());
  EXPECT_NEAR(model.Loss(images_, tokens_, targets_).item<double>(), want.item<double>(), 1e-6);
}

TEST_F(VlmModelTest, LaterTokensDoNotChangeEarlierLogits) {
  VlmModel model(TinyShape());
  model.eval();
  at::Tensor changed = tokens_.clone();
  changed.select(1, 4).fill_(3);
  const at::Tensor a = model.Logits(images_, tokens_), b = model.Logits(images_, changed);
  EXPECT_LT((a - b).narrow(1, 0, 5).abs().max().item<double>(), 1e-6);
  EXPECT_GT((a - b).select(1, 5).abs().max().item<double>(), 1e-4);
}

TEST_F(VlmModelTest, NextTokenLogitsAreTheLastRow) {
  VlmModel model(TinyShape());
  model.eval();
  const at::Tensor next = model.NextTokenLogits(model.EncodeImages(images_), tokens_);
  EXPECT_TRUE(at::allclose(next, model.Logits(images_, tokens_).select(1, -1), 1e-5, 1e-6));
}

TEST_F(VlmModelTest, DropoutActsInTrainingOnly) {
  ModelShape shape = TinyShape();
  shape.dropout = shape.emb_dropout = shape.blk_dropout = 0.5;
  VlmModel model(shape);
  const at::Tensor first = model.Logits(images_, tokens_);
  EXPECT_FALSE(first.equal(model.Logits(images_, tokens_)));
  model.eval();
  const at::Tensor quiet = model.Logits(images_, tokens_);
  EXPECT_TRUE(quiet.equal(model.Logits(images_, tokens_)));
}

TEST_F(VlmModelTest, WrongInputIsAnErrorThatNamesTheSizes) {
  VlmModel model(TinyShape());
  EXPECT_THROW(model.Logits(at::randn({2, 3, 9, 9}), tokens_), c10::Error);
  EXPECT_THROW(model.Logits(images_, at::zeros({2, 1000}, at::kLong)), c10::Error);
  EXPECT_THROW(model.Logits(images_, at::full({2, 5}, 11, at::kLong)), c10::Error);
  EXPECT_THROW(model.Loss(images_, tokens_, at::full({2, 5}, 11, at::kLong)), c10::Error);
}

}  // namespace
}  // namespace vlm::trainer
