// Multi-head attention with dropout on the weights. Internal to model/. Thread-safe.
// On a CPU an own kernel (kernels/attention.h) that never stores the weights: LibTorch has no
// fused kernel with dropout there and falls back to one that is several times slower. On other
// devices LibTorch's scaled_dot_product_attention.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vlm::trainer {

struct AttentionOptions {
  int64_t heads = 1;    // Divides the width.
  double scale = 1;     // Of the scores, before softmax.
  bool causal = false;  // Row i sees columns 0..i.
  double dropout = 0;   // Of the weights after softmax; 0 = off.
};

// qkv: [B, S, 3C], query | key | value, heads side by side in each. Returns [B, S, C].
at::Tensor SelfAttention(const at::Tensor& qkv, const AttentionOptions& options);
// query: [B, Sq, C]; key_value: [B, Sk, 2C]. REQUIRES: not causal. Returns [B, Sq, C].
at::Tensor CrossAttention(const at::Tensor& query, const at::Tensor& key_value,
                          const AttentionOptions& options);

}  // namespace vlm::trainer
