#include "worker/trainer/model/decoder.h"

#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "worker/trainer/model/dropout.h"
#include "worker/trainer/model/init.h"

namespace vlm::trainer {

Decoder::Decoder(const ModelShape& shape) : shape_(shape) {
  const int64_t width = shape.n_embd;
  const int64_t features = shape.image_embed_dim;
  token_table_ = register_parameter("token_table", DrawNormal({shape.vocab_size, width}));
  position_table_ = register_parameter("position_table", DrawNormal({kMaxPositions, width}));
  expand_weight_ = register_parameter("expand_weight", DrawLinearWeight(4 * features, features));
  expand_bias_ = register_parameter("expand_bias", DrawLinearBias(4 * features, features));
  narrow_weight_ = register_parameter("narrow_weight", DrawLinearWeight(width, 4 * features));
  narrow_bias_ = register_parameter("narrow_bias", DrawLinearBias(width, 4 * features));
  for (int64_t i = 0; i < shape.n_layer; ++i) {
    blocks_.push_back(std::make_shared<Block>(width, shape.num_head, shape.dropout));
    register_module(absl::StrCat("block", i), blocks_.back());
  }
  norm_weight_ = register_parameter("norm_weight", torch::ones({width}));
  norm_bias_ = register_parameter("norm_bias", torch::zeros({width}));
  head_weight_ = register_parameter("head_weight", DrawLinearWeight(shape.vocab_size, width));
  head_bias_ = register_parameter("head_bias", DrawLinearBias(shape.vocab_size, width));
}

at::Tensor Decoder::Project(const at::Tensor& features) {
  const at::Tensor wide = at::gelu(at::linear(features, expand_weight_, expand_bias_));
  return Dropout(at::linear(wide, narrow_weight_, narrow_bias_),
                 is_training() ? kProjectorDropout : 0);
}

at::Tensor Decoder::Hidden(const at::Tensor& image_tokens, const at::Tensor& tokens) {
  TORCH_CHECK_VALUE(tokens.dim() == 2 && tokens.size(0) == image_tokens.size(0), "tokens must be [",
                    image_tokens.size(0), ", T], not ", tokens.sizes());
  const int64_t length = tokens.size(1) + 1;
  TORCH_CHECK_VALUE(length <= kMaxPositions, "a text of ", tokens.size(1),
                    " tokens is too long: the position table ends at ", kMaxPositions - 1);
  const at::Tensor text = at::embedding(token_table_, tokens);
  at::Tensor x = at::cat({image_tokens.unsqueeze(1).to(text.scalar_type()), text}, 1) +
                 position_table_.narrow(0, 0, length);
  for (const auto& block : blocks_) x = block->Forward(x, /*causal=*/true);
  return at::layer_norm(x, {shape_.n_embd}, norm_weight_, norm_bias_);
}

void Decoder::AddSlots(const std::string& prefix, std::vector<Slot>* slots) const {
  const auto add = [&](const char* name, const at::Tensor& parameter) {
    slots->push_back({prefix + name, parameter});
  };
  add("token_embedding_table.weight", token_table_);
  add("position_embedding_table.weight", position_table_);
  add("image_projection.net.0.weight", expand_weight_);
  add("image_projection.net.0.bias", expand_bias_);
  add("image_projection.net.2.weight", narrow_weight_);
  add("image_projection.net.2.bias", narrow_bias_);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i]->AddSlots(absl::StrCat(prefix, "blocks.", i, "."), slots);
  }
  add("ln_f.weight", norm_weight_);
  add("ln_f.bias", norm_bias_);
  add("lm_head.weight", head_weight_);
  add("lm_head.bias", head_bias_);
}

}  // namespace vlm::trainer
