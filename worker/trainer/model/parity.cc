#include "worker/trainer/model/parity.h"

#include <torch/torch.h>

#include "common/status.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/tensor_file/torch_tensors.h"

namespace vlm::trainer {
namespace {

struct Input {
  NamedTensors weights;
  at::Tensor images, tokens, targets;
  int64_t vocab_size = 0;
};

absl::StatusOr<Input> ReadInput(const std::string& path) {
  ASSIGN_OR_RETURN(TensorFile file, ReadTensorFile(path));
  Input input;
  for (auto& [name, tensor] : file.tensors) {
    if (name == "batch.images") {
      input.images = tensor;
    } else if (name == "batch.tokens") {
      input.tokens = tensor;
    } else if (name == "batch.targets") {
      input.targets = tensor;
    } else {
      if (name == "decoder.lm_head.weight" && tensor.dim() == 2) input.vocab_size = tensor.size(0);
      input.weights.emplace_back(name, tensor);
    }
  }
  if (!input.images.defined() || !input.tokens.defined() || !input.targets.defined()) {
    return absl::InvalidArgumentError("needs batch.images, batch.tokens and batch.targets");
  }
  if (input.vocab_size == 0) {
    return absl::InvalidArgumentError("needs decoder.lm_head.weight of [vocab_size, n_embd]");
  }
  if (input.images.scalar_type() != at::kFloat || input.tokens.scalar_type() != at::kLong ||
      input.targets.scalar_type() != at::kLong || input.tokens.dim() != 2 ||
      input.targets.sizes() != input.tokens.sizes()) {
    return absl::InvalidArgumentError(
        "batch.images must be F32; batch.tokens and batch.targets I64 of the same [B, T]");
  }
  if (input.tokens.numel() == 0 || input.tokens.min().item<int64_t>() < 0 ||
      input.tokens.max().item<int64_t>() >= input.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch.tokens is empty or leaves the vocabulary of ", input.vocab_size));
  }
  return input;
}

absl::StatusOr<NamedTensors> Run(const v1::TrainConfig& config, const Input& input) {
  v1::TrainConfig sized = config;
  sized.set_vocab_size(input.vocab_size);
  sized.set_dropout(0);
  sized.set_emb_dropout(0);
  sized.set_blk_dropout(0);
  ASSIGN_OR_RETURN(const ModelShape shape, ShapeOf(sized, input.vocab_size));
  VlmModel model(shape);
  RETURN_IF_ERROR(model.LoadStateDict(input.weights));
  model.eval();  // The projector's dropout is fixed: only this switches it off.
  NamedTensors out;
  {
    const torch::NoGradGuard no_grad;
    out.emplace_back("logits", model.Logits(input.images, input.tokens));
  }
  const at::Tensor loss = model.Loss(input.images, input.tokens, input.targets);
  loss.backward();
  out.emplace_back("loss", loss.detach());
  for (const auto& [name, grad] : model.GradDict()) out.emplace_back("grad." + name, grad);
  return out;
}

}  // namespace

absl::Status RunParity(const v1::TrainConfig& config, const std::string& in_path,
                       const std::string& out_path) {
  auto input = ReadInput(in_path);
  if (!input.ok()) return Annotate(input.status(), in_path);
  try {
    auto out = Run(config, *input);
    if (!out.ok()) return Annotate(out.status(), in_path);
    return WriteTensorFile(out_path, *out, {{"format", "pt"}});
  } catch (const c10::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(in_path, ": ", error.what_without_backtrace()));
  }
}

}  // namespace vlm::trainer
