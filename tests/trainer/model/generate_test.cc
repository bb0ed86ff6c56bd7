#include "worker/trainer/model/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/trainer/model/tiny_model.h"

namespace vlm::trainer {
namespace {

class GenerateTest : public testing::Test {
 protected:
  GenerateTest() {
    torch::manual_seed(2);
    model_ = std::make_unique<VlmModel>(TinyShape());
    image_ = at::randn({3, 8, 8});
  }
  std::vector<int64_t> Run(const GenerateOptions& options, std::vector<int64_t> prompt = {1, 2}) {
    const auto made = Generate(*model_, image_, prompt, options);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : std::vector<int64_t>{};
  }
  // The most likely token behind `tokens`, from the full logits of the model.
  int64_t Next(const std::vector<int64_t>& tokens) {
    model_->eval();
    const at::Tensor text = at::tensor(tokens, at::kLong).unsqueeze(0);
    return model_->Logits(image_.unsqueeze(0), text)[0][-1].argmax().item<int64_t>();
  }

  std::unique_ptr<VlmModel> model_;
  at::Tensor image_;
};

TEST_F(GenerateTest, GreedyTakesTheMostLikelyTokenAtEachPosition) {
  std::vector<int64_t> tokens = {1, 2};
  for (int64_t token : Run({.max_new_tokens = 6})) {
    EXPECT_EQ(token, Next(tokens));
    tokens.push_back(token);
  }
  EXPECT_EQ(tokens.size(), 8);
}

TEST_F(GenerateTest, StopsAtPadWithoutReturningIt) {
  const std::vector<int64_t> free = Run({.max_new_tokens = 6});
  EXPECT_TRUE(Run({.max_new_tokens = 6, .pad_id = free[0]}).empty());
}

TEST_F(GenerateTest, AnEmptyPromptStartsFromThePictureAlone) {
  EXPECT_EQ(Run({.max_new_tokens = 3}, {}).size(), 3);
}

TEST_F(GenerateTest, SamplesFollowTheSeed) {
  const auto with = [&](uint64_t seed) {
    return Run({.max_new_tokens = 30, .temperature = 2, .seed = seed});
  };
  EXPECT_EQ(with(1), with(1));
  EXPECT_NE(with(1), with(2));
}

TEST_F(GenerateTest, TopOneIsGreedy) {
  EXPECT_EQ(Run({.max_new_tokens = 8, .temperature = 1, .top_k = 1}), Run({.max_new_tokens = 8}));
}

TEST_F(GenerateTest, IdsAtAndAboveTheLimitAreNeverChosen) {
  const auto made = Run({.max_new_tokens = 50, .temperature = 100, .vocab_limit = 3});
  EXPECT_THAT(made, testing::Each(testing::Lt(3)));
}

TEST_F(GenerateTest, EndsWhereThePositionTableEnds) {
  const std::vector<int64_t> prompt(997, 1);
  EXPECT_EQ(Run({.max_new_tokens = 100}, prompt).size(), 2);
}

TEST_F(GenerateTest, LeavesTheModelInItsMode) {
  model_->train();
  Run({.max_new_tokens = 1});
  EXPECT_TRUE(model_->is_training());
}

TEST_F(GenerateTest, BadPromptsAndOptionsAreRefused) {
  const auto code = [&](const std::vector<int64_t>& prompt, const GenerateOptions& options) {
    return Generate(*model_, image_, prompt, options).status().code();
  };
  EXPECT_EQ(code({11}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({-1}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::vector<int64_t>(999, 1), {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({}, {.temperature = -1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({}, {.top_k = -1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({}, {.max_new_tokens = -1}), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::trainer
