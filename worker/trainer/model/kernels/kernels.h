// CPU kernels that LibTorch does not have, once per instruction set. Plain pointers, one thread;
// callers split the work. Thread-safe (no state). Internal to model/.
#pragma once

#include <cstdint>

namespace vlm::trainer {

// Bernoulli masks come from a hash of (seed, row, column), so they are the same whatever the
// instruction set and the number of threads, and need not be stored.
struct DropoutMask {
  uint64_t seed = 0;
  uint32_t threshold = 0;  // Dropped if hash < threshold; 0 = keeps all.
  float scale = 1;         // 1 / (1 - p).
};

// One head of one sample. Rows are `*_stride` floats apart, `head` floats long.
struct AttentionHead {
  const float* query;
  const float* key;
  const float* value;
  int64_t query_stride, key_stride, value_stride;
  int64_t rows;     // Of the query.
  int64_t columns;  // Of key and value.
  int64_t head;     // Floats of a head.
  float scale;
  bool causal;
  DropoutMask mask;
  int64_t mask_row;  // Number of the first row among all rows of the call.
};

struct AttentionBackward {
  const float* out;  // What the forward pass gave.
  const float* out_grad;
  int64_t out_stride;    // Of both.
  const float* log_sum;  // [rows]
  float* query_grad;
  float* key_grad;
  float* value_grad;  // All written, not added to.
  int64_t query_grad_stride, key_grad_stride, value_grad_stride;
};

struct Kernels {
  const char* name;
  // Floats of scratch that attention needs, forward or backward.
  int64_t (*attention_scratch)(int64_t rows, int64_t columns, int64_t head);
  // out: [rows, head], `out_stride` apart; log_sum: [rows], for the backward pass.
  void (*attention_forward)(const AttentionHead& in, float* out, int64_t out_stride, float* log_sum,
                            float* scratch);
  void (*attention_backward)(const AttentionHead& in, const AttentionBackward& grads,
                             float* scratch);
  // out[i] = (add ? add[i] : 0) + kept(x[i]) * mask.scale for i in [begin, end); the mask of
  // element i does not depend on begin.
  void (*dropout)(const float* x, const float* add, float* out, int64_t begin, int64_t end,
                  const DropoutMask& mask);
  // logits [rows, columns] += bias; returns the sum over rows of logsumexp - logit[target]. With
  // `gradient`, logits become (softmax - onehot(target)) * weight; rows of target < 0 count nothing
  // and become 0.
  double (*cross_entropy)(float* logits, const float* bias, const int64_t* targets, int64_t rows,
                          int64_t columns, bool gradient, float weight);
};

// The best of this CPU, chosen once.
const Kernels& BestKernels();
// By name ("avx512", "avx2", "baseline"); null if this CPU cannot run it. For tests.
const Kernels* FindKernels(const char* name);

}  // namespace vlm::trainer
