// The vision encoder. Internal to model/; not thread-safe.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "worker/trainer/model/block.h"
#include "worker/trainer/model/shape.h"

namespace vlm::trainer {

class Vit : public torch::nn::Module {
 public:
  explicit Vit(const ModelShape& shape);

  // float32 [B, 3, img_size, img_size] -> [B, D].
  at::Tensor Forward(const at::Tensor& images);
  void AddSlots(const std::string& prefix, std::vector<Slot>* slots) const;

 private:
  at::Tensor Patches(const at::Tensor& images) const;

  const ModelShape shape_;
  at::Tensor patch_weight_, patch_bias_;  // [D, 3, patch, patch], [D]
  at::Tensor cls_token_;                  // [1, 1, D]
  at::Tensor pos_embedding_;              // [1, P + 1, D]
  at::Tensor norm_weight_, norm_bias_;    // [D]
  std::vector<std::shared_ptr<Block>> blocks_;
};

}  // namespace vlm::trainer
