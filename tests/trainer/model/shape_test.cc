#include "worker/trainer/model/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vlm::trainer {
namespace {

using testing::HasSubstr;

v1::TrainConfig Reference() {
  v1::TrainConfig config;
  config.set_n_embd(128);
  config.set_image_embed_dim(512);
  config.set_n_layer(8);
  config.set_num_blks(3);
  config.set_img_size(96);
  config.set_patch_size(16);
  config.set_num_head(8);
  config.set_dropout(0.1);
  return config;
}

std::string Refusal(const v1::TrainConfig& config, int64_t vocab_size = 100) {
  const auto shape = ShapeOf(config, vocab_size);
  EXPECT_EQ(shape.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(shape.status().message());
}

TEST(ShapeTest, AVocabSizeOfZeroIsTheVocabularysOwn) {
  EXPECT_EQ(ShapeOf(Reference(), 77)->vocab_size, 77);
}

TEST(ShapeTest, ALargerVocabSizeIsKept) {
  v1::TrainConfig config = Reference();
  config.set_vocab_size(6666);
  EXPECT_EQ(ShapeOf(config, 77)->vocab_size, 6666);
}

TEST(ShapeTest, ATooSmallVocabSizeNamesTheSizeNeeded) {
  v1::TrainConfig config = Reference();
  config.set_vocab_size(50);
  EXPECT_THAT(Refusal(config, 77), HasSubstr("at least 77"));
}

TEST(ShapeTest, HeadsMustDivideBothWidths) {
  v1::TrainConfig config = Reference();
  config.set_num_head(24);
  EXPECT_THAT(Refusal(config), HasSubstr("n_embd: 128 is not divisible by num_head 24"));
  config.set_n_embd(240);
  EXPECT_THAT(Refusal(config), HasSubstr("image_embed_dim: 512"));
}

TEST(ShapeTest, PatchesMustTileThePicture) {
  v1::TrainConfig config = Reference();
  config.set_patch_size(20);
  EXPECT_THAT(Refusal(config), HasSubstr("img_size: 96 is not divisible by patch_size 20"));
}

TEST(ShapeTest, SizesBelowOneAndAboveTheLimitAreRefused) {
  v1::TrainConfig config = Reference();
  config.set_n_layer(0);
  EXPECT_THAT(Refusal(config), HasSubstr("n_layer: 0"));
  config = Reference();
  config.set_n_embd(int64_t{1} << 40);
  EXPECT_THAT(Refusal(config), HasSubstr("too large"));
}

TEST(ShapeTest, DropoutMustBeBelowOne) {
  v1::TrainConfig config = Reference();
  config.set_dropout(1);
  EXPECT_THAT(Refusal(config), HasSubstr("dropout: 1"));
}

}  // namespace
}  // namespace vlm::trainer
