// The transformer block that ViT and decoder share. Internal to model/; not thread-safe.
//
// x = x0 + dropout(proj(attention(ln1(x0)))); y = ln2(x); out = y + ffn(y): the second residual
// starts behind ln2, as in the reference. Attention weights are scaled by C^-1/2, C being the full
// width.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "worker/trainer/model/slots.h"

namespace vlm::trainer {

class Block : public torch::nn::Module {
 public:
  // Draws initial weights: per head key, query, value; projection; both layers of the ffn.
  // REQUIRES: heads divides width.
  Block(int64_t width, int64_t heads, double dropout);

  // [B, S, width] -> [B, S, width].
  at::Tensor Forward(const at::Tensor& x, bool causal);
  // Forward's row of token 0 alone, [B, 1, width], without computing the others: the last ViT
  // block's other rows are read by nobody.
  at::Tensor ForwardFirst(const at::Tensor& x);

  // Appends this block's state-dict entries, named `prefix` + their name.
  void AddSlots(const std::string& prefix, std::vector<Slot>* slots) const;

 private:
  at::Tensor Finish(const at::Tensor& residual, const at::Tensor& attended);

  const int64_t width_;
  const int64_t heads_;
  const double dropout_;
  at::Tensor ln1_weight_, ln1_bias_;
  at::Tensor qkv_weight_;  // [3C, C]: query rows of all heads, then key rows, then value rows.
  at::Tensor proj_weight_, proj_bias_;
  at::Tensor ln2_weight_, ln2_bias_;
  at::Tensor up_weight_, up_bias_;      // [4C, C]
  at::Tensor down_weight_, down_bias_;  // [C, 4C]
};

}  // namespace vlm::trainer
