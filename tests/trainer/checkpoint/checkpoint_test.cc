// Checkpoint files as such: content, damage, hostile bytes.
#include "worker/trainer/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/hash.h"
#include "tests/support/process.h"
#include "torch/torch.h"
#include "worker/trainer/checkpoint/keeper.h"
#include "worker/trainer/tensor_file/torch_tensors.h"

namespace vlm::trainer {
namespace {

using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : path_(dir_ / "a.safetensors") {
    info_.step = 12;
    info_.config.set_n_embd(64);
    info_.vocabulary = R"({"characters": ["a"], "pad": 1})";
    info_.value = 0.25;
    tensors_ = {{"decoder.ln_f.weight", torch::rand({8})},
                {"optimizer.step", torch::ones({})},
                {"rng.cpu.0", torch::zeros({16}, torch::kUInt8)}};
  }
  void Save() { ASSERT_TRUE(SaveCheckpoint(path_, info_, tensors_).ok()); }
  std::string Bytes() const {
    std::stringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }
  void Overwrite(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  void ExpectDamaged(const std::string& part) {
    const auto loaded = LoadCheckpoint(path_);
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kDataLoss) << loaded.status();
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr(part));
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr(path_));
  }

  const vlm::testing::TempDir dir_;
  const std::string path_;
  CheckpointInfo info_;
  NamedTensors tensors_;
};

TEST_F(CheckpointTest, ReadsBackWhatItWrote) {
  Save();
  const auto loaded = LoadCheckpoint(path_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->info.step, 12);
  EXPECT_EQ(loaded->info.config.n_embd(), 64);
  EXPECT_EQ(loaded->info.vocabulary, info_.vocabulary);
  EXPECT_EQ(loaded->info.value, 0.25);
  ASSERT_EQ(loaded->model.size(), 1u);
  EXPECT_TRUE(torch::equal(loaded->model[0].second, tensors_[0].second));
  EXPECT_EQ(loaded->rest.size(), 2u);
}

TEST_F(CheckpointTest, DescribesTheFile) {
  const auto saved = SaveCheckpoint(path_, info_, tensors_);
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(saved->sha256(), *Sha256File(path_));
  EXPECT_EQ(saved->uri(), "file://" + path_);
  EXPECT_EQ(saved->size_bytes(), static_cast<int64_t>(std::filesystem::file_size(path_)));
  EXPECT_EQ(saved->step(), 12);
}

TEST_F(CheckpointTest, AFlippedBitInTheWeightsIsNoticed) {
  Save();
  std::string bytes = Bytes();
  bytes[bytes.size() - 20] = static_cast<char>(bytes[bytes.size() - 20] ^ 1);
  Overwrite(bytes);
  ExpectDamaged("vlm.content_sha256");
}

TEST_F(CheckpointTest, EveryTruncationIsNoticed) {
  Save();
  const std::string bytes = Bytes();
  for (size_t size = 0; size < bytes.size(); size += 37) {
    Overwrite(bytes.substr(0, size));
    EXPECT_EQ(LoadCheckpoint(path_).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST_F(CheckpointTest, AFileOfAnotherProgramIsRefused) {
  ASSERT_TRUE(WriteTensorFile(path_, tensors_, {{"format", "pt"}}).ok());
  ExpectDamaged("not written by vlm-trainer");
}

TEST_F(CheckpointTest, MetadataThatLieAreRefused) {
  Save();
  const std::string good = Bytes();
  for (const char* lie : {R"(\"step\":-2)", R"(\"step\":"x")", R"(\"step\":[])"}) {
    std::string bytes = good;
    const std::string honest = R"(\"step\":12)";
    const size_t at = bytes.find(honest);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, honest.size(), std::string(lie).substr(0, honest.size()));
    Overwrite(bytes);
    EXPECT_EQ(LoadCheckpoint(path_).status().code(), absl::StatusCode::kDataLoss) << lie;
  }
}

TEST_F(CheckpointTest, AMissingFileIsNotFound) {
  EXPECT_EQ(LoadCheckpoint(dir_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, AFolderThatIsGoneIsAnErrorAndLeavesNothing) {
  const auto saved = SaveCheckpoint(dir_ / "gone/a.safetensors", info_, tensors_);
  EXPECT_FALSE(saved.ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST(CheckpointKeeperTest, IsDueBySteps) {
  v1::CheckpointConfig config;
  config.set_every_steps(5);
  const CheckpointKeeper keeper(config, {});
  EXPECT_FALSE(keeper.DueBySteps(4));
  EXPECT_TRUE(keeper.DueBySteps(5));
  EXPECT_FALSE(keeper.DueByTime(CheckpointKeeper::Clock::now()));
}

TEST(CheckpointKeeperTest, IsDueByTimeSinceTheLast) {
  v1::CheckpointConfig config;
  config.set_every_seconds(10);
  const CheckpointKeeper::Clock::time_point start{};
  CheckpointKeeper keeper(config, start);
  EXPECT_FALSE(keeper.DueByTime(start + std::chrono::seconds(9)));
  EXPECT_TRUE(keeper.DueByTime(start + std::chrono::seconds(10)));
  keeper.Wrote("/nowhere/a", start + std::chrono::seconds(10));
  EXPECT_FALSE(keeper.DueByTime(start + std::chrono::seconds(19)));
}

}  // namespace
}  // namespace vlm::trainer
