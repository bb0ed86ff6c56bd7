// Projector and causal decoder. Internal to model/; not thread-safe.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "worker/trainer/model/block.h"
#include "worker/trainer/model/shape.h"

namespace vlm::trainer {

class Decoder : public torch::nn::Module {
 public:
  explicit Decoder(const ModelShape& shape);

  // What the ViT gives, [B, D] -> the image token, [B, C].
  at::Tensor Project(const at::Tensor& features);
  // Image token [B, C] and tokens [B, T] -> what lm_head reads, [B, S, C], S = T + 1.
  at::Tensor Hidden(const at::Tensor& image_tokens, const at::Tensor& tokens);
  const at::Tensor& head_weight() const { return head_weight_; }  // [V, C]
  const at::Tensor& head_bias() const { return head_bias_; }      // [V]
  void AddSlots(const std::string& prefix, std::vector<Slot>* slots) const;

 private:
  const ModelShape shape_;
  at::Tensor token_table_;                  // [V, C]
  at::Tensor position_table_;               // [kMaxPositions, C]
  at::Tensor expand_weight_, expand_bias_;  // Projector: [4D, D]
  at::Tensor narrow_weight_, narrow_bias_;  // [C, 4D]
  at::Tensor norm_weight_, norm_bias_;      // ln_f
  at::Tensor head_weight_, head_bias_;      // lm_head
  std::vector<std::shared_ptr<Block>> blocks_;
};

}  // namespace vlm::trainer
