// The vision-language model: ViT -> projector -> causal decoder over [image token, text tokens].
// Shapes: B batch, T text tokens (1..999), S = T + 1, C n_embd, D image_embed_dim, V vocab_size.
// Not thread-safe: one training thread. Owner: the training loop. Works on the device its
// parameters are on (`to(device)`). LibTorch throws c10::Error here (shapes, out of memory): the
// loop catches it; everything that reads outside input returns a Status.
//
// Inside, query, key and value of all heads are one matrix [3C, C], so parameters() differ from the
// state dict; StateDict, GradDict and LoadStateDict speak the outside names (docs/checkpoints.md).
// Every parameter gets a gradient in every step (what DDP needs).
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "worker/trainer/model/named_tensors.h"
#include "worker/trainer/model/shape.h"

namespace vlm::trainer {

class Vit;
class Decoder;

class VlmModel : public torch::nn::Module {
 public:
  // Draws the initial weights from the default CPU generator, bit for bit those that PyTorch draws
  // for the same layers in the same order after the same torch::manual_seed.
  // REQUIRES: CheckShape(shape) is ok.
  explicit VlmModel(const ModelShape& shape);
  ~VlmModel() override;

  const ModelShape& shape() const { return shape_; }

  // images: float32 [B, 3, img_size, img_size], normalised; tokens: int64 [B, T], each in [0, V).
  // Returns [B, S, V]; row t predicts tokens[t] (row 0 is the image token's).
  at::Tensor Logits(const at::Tensor& images, const at::Tensor& tokens);

  // targets: int64 [B, T], tokens shifted left by one with <pad> last; -100 = ignored.
  // Mean cross-entropy, float32 scalar. In training mode lm_head, softmax and their gradients are
  // done in chunks of rows: [B, S, V] never exists. Equal to the plain form up to rounding.
  at::Tensor Loss(const at::Tensor& images, const at::Tensor& tokens, const at::Tensor& targets);

  // [B, C]: what the decoder sees of the pictures. For generation: encode once, decode many times.
  at::Tensor EncodeImages(const at::Tensor& images);
  // Logits of the last position only, [B, V], for an already encoded picture.
  at::Tensor NextTokenLogits(const at::Tensor& image_tokens, const at::Tensor& tokens);

  // Outside names in the reference's order; detached views of the parameters (no copies).
  NamedTensors StateDict() const;
  // The same names with gradients; an undefined gradient is given as zeros.
  NamedTensors GradDict() const;
  // Strict: every name exactly once, right shape, floating point (converted to float32), finite
  // checks are left to the caller. Nothing is changed on error.
  // INVALID_ARGUMENT lists missing, unexpected and misshaped names (the first few of each).
  absl::Status LoadStateDict(const NamedTensors& state);

 private:
  at::Tensor Hidden(const at::Tensor& image_tokens, const at::Tensor& tokens);

  const ModelShape shape_;
  std::shared_ptr<Vit> vit_;
  std::shared_ptr<Decoder> decoder_;
};

// Inside names with the trainable tensors: what optimizers and DDP work on.
NamedTensors NamedParameters(const torch::nn::Module& module);

}  // namespace vlm::trainer
