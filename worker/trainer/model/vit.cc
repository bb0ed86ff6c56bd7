#include "worker/trainer/model/vit.h"

#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "worker/trainer/model/dropout.h"
#include "worker/trainer/model/init.h"

namespace vlm::trainer {

Vit::Vit(const ModelShape& shape) : shape_(shape) {
  const int64_t width = shape.image_embed_dim;
  patch_weight_ = register_parameter("patch_weight", DrawConvWeight(width, 3, shape.patch_size));
  patch_bias_ = register_parameter("patch_bias",
                                   DrawLinearBias(width, 3 * shape.patch_size * shape.patch_size));
  cls_token_ = register_parameter("cls_token", torch::zeros({1, 1, width}));
  pos_embedding_ = register_parameter("pos_embedding", DrawNormal({1, shape.patches() + 1, width}));
  for (int64_t i = 0; i < shape.num_blks; ++i) {
    blocks_.push_back(std::make_shared<Block>(width, shape.num_head, shape.blk_dropout));
    register_module(absl::StrCat("block", i), blocks_.back());
  }
  norm_weight_ = register_parameter("norm_weight", torch::ones({width}));
  norm_bias_ = register_parameter("norm_bias", torch::zeros({width}));
}

at::Tensor Vit::Patches(const at::Tensor& images) const {
  // A convolution whose stride is its kernel is one matrix product over the cut-out patches.
  const int64_t side = shape_.patch_size;
  const int64_t across = shape_.img_size / side;
  TORCH_CHECK_VALUE(images.dim() == 4 && images.size(1) == 3 && images.size(2) == shape_.img_size &&
                        images.size(3) == shape_.img_size,
                    "images must be [B, 3, ", shape_.img_size, ", ", shape_.img_size, "], not ",
                    images.sizes());
  const at::Tensor cut = images.reshape({-1, 3, across, side, across, side})
                             .permute({0, 2, 4, 1, 3, 5})
                             .reshape({images.size(0), across * across, 3 * side * side});
  return at::linear(cut, patch_weight_.flatten(1), patch_bias_);
}

at::Tensor Vit::Forward(const at::Tensor& images) {
  const at::Tensor patches = Patches(images);
  const at::Tensor cls = cls_token_.expand({images.size(0), 1, shape_.image_embed_dim});
  at::Tensor x = at::cat({cls.to(patches.scalar_type()), patches}, 1) + pos_embedding_;
  x = Dropout(x, is_training() ? shape_.emb_dropout : 0);
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i]->Forward(x, /*causal=*/false);
  x = blocks_.back()->ForwardFirst(x);
  return at::layer_norm(x.squeeze(1), {shape_.image_embed_dim}, norm_weight_, norm_bias_);
}

void Vit::AddSlots(const std::string& prefix, std::vector<Slot>* slots) const {
  slots->push_back({prefix + "cls_token", cls_token_});
  slots->push_back({prefix + "pos_embedding", pos_embedding_});
  slots->push_back({prefix + "patch_embedding.conv.weight", patch_weight_});
  slots->push_back({prefix + "patch_embedding.conv.bias", patch_bias_});
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i]->AddSlots(absl::StrCat(prefix, "blocks.", i, "."), slots);
  }
  slots->push_back({prefix + "layer_norm.weight", norm_weight_});
  slots->push_back({prefix + "layer_norm.bias", norm_bias_});
}

}  // namespace vlm::trainer
