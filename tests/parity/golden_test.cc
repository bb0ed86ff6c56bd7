// The model against what PyTorch computed (golden/, written by make_golden.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/hash.h"
#include "worker/trainer/model/parity.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/optim/adamw.h"
#include "worker/trainer/tensor_file/torch_tensors.h"

namespace vlm::trainer {
namespace {

std::string Golden(const std::string& name) {
  const char* source = std::getenv("VLM_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/tests/parity/golden/" + name;
}

ModelShape Small() {
  ModelShape shape;
  shape.n_embd = 24;
  shape.image_embed_dim = 40;
  shape.vocab_size = 37;
  shape.n_layer = 2;
  shape.num_blks = 2;
  shape.img_size = 12;
  shape.patch_size = 4;
  shape.num_head = 4;
  return shape;
}

ModelShape Default() {
  ModelShape shape;
  shape.vocab_size = 6666;
  return shape;
}

std::map<std::string, at::Tensor> ReadAll(const std::string& path) {
  auto file = ReadTensorFile(path);
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return {};
  return {file->tensors.begin(), file->tensors.end()};
}

// The largest difference over the largest wanted value.
double RelativeError(const at::Tensor& got, const at::Tensor& want) {
  EXPECT_EQ(got.sizes(), want.sizes());
  const double largest = want.abs().max().item<double>();
  return (got - want).abs().max().item<double>() / std::max(largest, 1e-30);
}

nlohmann::json InitialWeights() {
  std::ifstream in(Golden("initial_weights.json"));
  return nlohmann::json::parse(in);
}

std::map<std::string, std::string> Hashes(const ModelShape& shape, uint64_t seed) {
  torch::manual_seed(seed);
  const VlmModel model(shape);
  std::map<std::string, std::string> hashes;
  for (const auto& [name, tensor] : model.StateDict()) {
    const at::Tensor ready = tensor.contiguous();
    hashes[name] = Sha256({static_cast<const char*>(ready.const_data_ptr()), ready.nbytes()});
  }
  return hashes;
}

class GoldenTest : public testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }
};

// The weights of the golden pass in a model that is ready for it.
struct Pass {
  std::map<std::string, at::Tensor> file = ReadAll(Golden("small_pass.safetensors"));
  VlmModel model{Small()};

  Pass() {
    NamedTensors weights;
    for (const auto& [name, tensor] : file) {
      if (!name.starts_with("batch.") && !name.starts_with("want.")) {
        weights.emplace_back(name, tensor);
      }
    }
    const absl::Status loaded = model.LoadStateDict(weights);
    EXPECT_TRUE(loaded.ok()) << loaded;
    model.eval();
  }
  at::Tensor Loss() {
    return model.Loss(file["batch.images"], file["batch.tokens"], file["batch.targets"]);
  }
};

TEST_F(GoldenTest, InitialWeightsOfTheSmallModelAreBitEqual) {
  const auto want = InitialWeights();
  const auto expected = want["small"].get<std::map<std::string, std::string>>();
  EXPECT_EQ(Hashes(Small(), want["seed"]), expected);
}

TEST_F(GoldenTest, InitialWeightsOfTheDefaultModelAreBitEqual) {
  const auto want = InitialWeights();
  const auto expected = want["default"].get<std::map<std::string, std::string>>();
  EXPECT_EQ(expected.size(), 390);
  EXPECT_EQ(Hashes(Default(), want["seed"]), expected);
}

TEST_F(GoldenTest, DefaultModelHasTheReferencesNumberOfParameters) {
  const VlmModel model(Default());
  int64_t count = 0;
  for (const auto& [name, parameter] : NamedParameters(model)) count += parameter.numel();
  EXPECT_EQ(count, 14'604'170);
}

TEST_F(GoldenTest, LogitsAreWithinOneInAHundredThousand) {
  Pass pass;
  const torch::NoGradGuard no_grad;
  const at::Tensor logits = pass.model.Logits(pass.file["batch.images"], pass.file["batch.tokens"]);
  EXPECT_LT(RelativeError(logits, pass.file["want.logits"]), 1e-5);
}

TEST_F(GoldenTest, LossWithAndWithoutGradientsIsEqual) {
  Pass pass;
  EXPECT_LT(RelativeError(pass.Loss().detach(), pass.file["want.loss"]), 1e-5);
  const torch::NoGradGuard no_grad;
  EXPECT_LT(RelativeError(pass.Loss(), pass.file["want.loss"]), 1e-5);
}

TEST_F(GoldenTest, AllGradientsAreWithinOneInAHundredThousand) {
  Pass pass;
  pass.Loss().backward();
  int compared = 0;
  for (const auto& [name, grad] : pass.model.GradDict()) {
    EXPECT_LT(RelativeError(grad, pass.file["want.grad." + name]), 1e-5) << name;
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int>(pass.model.StateDict().size()));
}

TEST_F(GoldenTest, LossesOfTwentyAdamWStepsAreWithinOneInTenThousand) {
  auto file = ReadAll(Golden("small_train.safetensors"));
  torch::manual_seed(InitialWeights()["seed"].get<uint64_t>());
  VlmModel model(Small());
  model.eval();
  AdamW optimizer(NamedParameters(model), AdamWOptions{});
  const at::Tensor want = file["losses"];
  for (int64_t step = 0; step < want.size(0); ++step) {
    const std::string at = std::to_string(step);
    const at::Tensor loss =
        model.Loss(file[at + ".images"], file[at + ".tokens"], file[at + ".targets"]);
    EXPECT_NEAR(loss.item<double>(), want[step].item<double>(), 1e-4) << "step " << step;
    optimizer.ZeroGrad();
    loss.backward();
    optimizer.Step(3e-3);
  }
  EXPECT_EQ(want.size(0), 20);
}

TEST_F(GoldenTest, ParityCommandWritesWhatPyTorchComputes) {
  Pass pass;
  NamedTensors in;
  for (const auto& [name, tensor] : pass.file) {
    if (!name.starts_with("want.")) in.emplace_back(name, tensor);
  }
  const std::string folder = testing::TempDir();
  ASSERT_TRUE(WriteTensorFile(folder + "/parity_in.safetensors", in).ok());
  v1::TrainConfig config;
  config.set_n_embd(24);
  config.set_image_embed_dim(40);
  config.set_n_layer(2);
  config.set_num_blks(2);
  config.set_img_size(12);
  config.set_patch_size(4);
  config.set_num_head(4);
  config.set_dropout(0.5);  // Must not be used.
  const absl::Status status =
      RunParity(config, folder + "/parity_in.safetensors", folder + "/parity_out.safetensors");
  ASSERT_TRUE(status.ok()) << status;
  for (const auto& [name, tensor] : ReadAll(folder + "/parity_out.safetensors")) {
    EXPECT_LT(RelativeError(tensor, pass.file["want." + name]), 1e-5) << name;
  }
}

}  // namespace
}  // namespace vlm::trainer
