#include "worker/trainer/model/block.h"

#include <torch/torch.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "worker/trainer/model/attention.h"
#include "worker/trainer/model/dropout.h"
#include "worker/trainer/model/init.h"

namespace vlm::trainer {

Block::Block(int64_t width, int64_t heads, double dropout)
    : width_(width), heads_(heads), dropout_(dropout) {
  const int64_t head = width / heads;
  ln1_weight_ = register_parameter("ln1_weight", torch::ones({width}));
  ln1_bias_ = register_parameter("ln1_bias", torch::zeros({width}));
  std::vector<at::Tensor> query, key, value;
  for (int64_t h = 0; h < heads; ++h) {
    key.push_back(DrawLinearWeight(head, width));
    query.push_back(DrawLinearWeight(head, width));
    value.push_back(DrawLinearWeight(head, width));
  }
  qkv_weight_ = register_parameter(
      "qkv_weight", at::cat({at::cat(query), at::cat(key), at::cat(value)}).contiguous());
  proj_weight_ = register_parameter("proj_weight", DrawLinearWeight(width, width));
  proj_bias_ = register_parameter("proj_bias", DrawLinearBias(width, width));
  ln2_weight_ = register_parameter("ln2_weight", torch::ones({width}));
  ln2_bias_ = register_parameter("ln2_bias", torch::zeros({width}));
  up_weight_ = register_parameter("up_weight", DrawLinearWeight(4 * width, width));
  up_bias_ = register_parameter("up_bias", DrawLinearBias(4 * width, width));
  down_weight_ = register_parameter("down_weight", DrawLinearWeight(width, 4 * width));
  down_bias_ = register_parameter("down_bias", DrawLinearBias(width, 4 * width));
}

at::Tensor Block::Forward(const at::Tensor& x, bool causal) {
  const at::Tensor normed = at::layer_norm(x, {width_}, ln1_weight_, ln1_bias_);
  const AttentionOptions options{.heads = heads_,
                                 .scale = 1 / std::sqrt(static_cast<double>(width_)),
                                 .causal = causal,
                                 .dropout = is_training() ? dropout_ : 0};
  return Finish(x, SelfAttention(at::linear(normed, qkv_weight_), options));
}

at::Tensor Block::ForwardFirst(const at::Tensor& x) {
  const at::Tensor normed = at::layer_norm(x, {width_}, ln1_weight_, ln1_bias_);
  const AttentionOptions options{.heads = heads_,
                                 .scale = 1 / std::sqrt(static_cast<double>(width_)),
                                 .causal = false,
                                 .dropout = is_training() ? dropout_ : 0};
  const at::Tensor query = at::linear(normed.narrow(1, 0, 1), qkv_weight_.narrow(0, 0, width_));
  const at::Tensor key_value = at::linear(normed, qkv_weight_.narrow(0, width_, 2 * width_));
  return Finish(x.narrow(1, 0, 1), CrossAttention(query, key_value, options));
}

at::Tensor Block::Finish(const at::Tensor& residual, const at::Tensor& attended) {
  const at::Tensor projected = at::linear(attended, proj_weight_, proj_bias_);
  const at::Tensor x = AddDropout(residual, projected, is_training() ? dropout_ : 0);
  const at::Tensor y = at::layer_norm(x, {width_}, ln2_weight_, ln2_bias_);
  const at::Tensor up = at::gelu(at::linear(y, up_weight_, up_bias_));
  return y + at::linear(up, down_weight_, down_bias_);
}

void Block::AddSlots(const std::string& prefix, std::vector<Slot>* slots) const {
  const auto add = [&](const char* name, const at::Tensor& parameter) {
    slots->push_back({prefix + name, parameter});
  };
  add("ln1.weight", ln1_weight_);
  add("ln1.bias", ln1_bias_);
  const int64_t head = width_ / heads_;
  for (int64_t h = 0; h < heads_; ++h) {
    const std::string at = absl::StrCat(prefix, "attn.heads.", h, ".");
    slots->push_back({at + "key.weight", qkv_weight_, width_ + h * head, head});
    slots->push_back({at + "query.weight", qkv_weight_, h * head, head});
    slots->push_back({at + "value.weight", qkv_weight_, 2 * width_ + h * head, head});
  }
  add("attn.proj.weight", proj_weight_);
  add("attn.proj.bias", proj_bias_);
  add("ln2.weight", ln2_weight_);
  add("ln2.bias", ln2_bias_);
  add("ffn.0.weight", up_weight_);
  add("ffn.0.bias", up_bias_);
  add("ffn.2.weight", down_weight_);
  add("ffn.2.bias", down_bias_);
}

}  // namespace vlm::trainer
