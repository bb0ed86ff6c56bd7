// What peer_torch_test.py drives: the C++ model from the command line, in any size.
//   parity_tool --seed N --weights OUT     the initial weights for a seed
//   parity_tool --in IN --out OUT          RunParity
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "worker/trainer/model/parity.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/tensor_file/torch_tensors.h"

namespace vlm::trainer {
namespace {

absl::Status WriteWeights(const v1::TrainConfig& config, uint64_t seed, const std::string& path) {
  const auto shape = ShapeOf(config, config.vocab_size());
  if (!shape.ok()) return shape.status();
  torch::manual_seed(seed);
  return WriteTensorFile(path, VlmModel(*shape).StateDict(), {{"format", "pt"}});
}

int Main(int argc, char** argv) {
  v1::TrainConfig config;
  uint64_t seed = 0;
  std::string weights, in, out;
  CLI::App app("The C++ model for peer_torch_test.py.");
  app.add_option("--seed", seed);
  app.add_option("--weights", weights);
  app.add_option("--in", in);
  app.add_option("--out", out);
  const auto size = [&](const char* name, void (v1::TrainConfig::*set)(int64_t)) {
    app.add_option_function<int64_t>(name, [&config, set](int64_t v) { (config.*set)(v); });
  };
  size("--n-embd", &v1::TrainConfig::set_n_embd);
  size("--image-embed-dim", &v1::TrainConfig::set_image_embed_dim);
  size("--vocab-size", &v1::TrainConfig::set_vocab_size);
  size("--n-layer", &v1::TrainConfig::set_n_layer);
  size("--num-blks", &v1::TrainConfig::set_num_blks);
  size("--img-size", &v1::TrainConfig::set_img_size);
  size("--patch-size", &v1::TrainConfig::set_patch_size);
  size("--num-head", &v1::TrainConfig::set_num_head);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      weights.empty() ? RunParity(config, in, out) : WriteWeights(config, seed, weights);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace vlm::trainer

int main(int argc, char** argv) { return vlm::trainer::Main(argc, argv); }
