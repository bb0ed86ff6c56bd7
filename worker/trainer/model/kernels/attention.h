// Attention of one head: softmax(scale * q k^T) with dropout, times v, and its gradients. Blocks of
// kBlock query rows against all columns they may see; the weights live in scratch only and are
// computed again in the backward pass from the rows' log-sums (the idea of
// https://arxiv.org/abs/2205.14135; rows are at most 1000 long here, so they are not split
// further). Included once per instruction set (vec.h).
#pragma once

#include <cmath>

#include "worker/trainer/model/kernels/gemm.h"
#include "worker/trainer/model/kernels/kernels.h"

namespace vlm::trainer::VLM_KERNEL_NAMESPACE {

constexpr int64_t kBlock = 32;

// Not std::min and std::fill: a copy of those compiled for a newer instruction set could be the one
// that the linker keeps for all.
static inline int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline void Fill(float* from, float* to, float value) {
  for (; from < to; ++from) *from = value;
}

static inline int64_t Pad(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// [rows, head], padded with zeros to [rows, Pad(head)].
static void Pack(const float* from, int64_t stride, int64_t rows, int64_t head, float* to) {
  const int64_t width = Pad(head);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(to + i * width, from + i * stride, static_cast<size_t>(head) * 4);
    Fill(to + i * width + head, to + (i + 1) * width, 0.0f);
  }
}

// [rows, head], transposed and padded to [head, Pad(rows)].
static void PackTransposed(const float* from, int64_t stride, int64_t rows, int64_t head,
                           float* to) {
  const int64_t width = Pad(rows);
  for (int64_t d = 0; d < head; ++d) {
    for (int64_t i = 0; i < rows; ++i) to[d * width + i] = from[i * stride + d];
    Fill(to + d * width + rows, to + (d + 1) * width, 0.0f);
  }
}

static void Unpack(const float* from, int64_t rows, int64_t head, float* to, int64_t stride) {
  const int64_t width = Pad(head);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(to + i * stride, from + i * width, static_cast<size_t>(head) * 4);
  }
}

static int64_t AttentionScratch(int64_t rows, int64_t columns, int64_t head) {
  const int64_t wide = Pad(columns);
  const int64_t deep = Pad(head);
  // Backward is the larger one: k^T, v^T; k, dk, dv; q, dq, dout; two blocks of weights; a row sum.
  return 2 * head * wide + 3 * columns * deep + 3 * rows * deep + 2 * kBlock * wide + kBlock;
}

// Columns that row i sees.
static inline int64_t Seen(const AttentionHead& in, int64_t row) {
  return in.causal ? Least(row + 1, in.columns) : in.columns;
}

// Sets scores[seen..width) to -inf, so that their weight is 0.
static inline void Hide(float* scores, int64_t seen, int64_t width) {
  Fill(scores + seen, scores + width, -INFINITY);
}

// Scores become unnormalised weights with dropped ones 0; returns the sum before dropout and the
// row's maximum (of scaled scores).
static inline float SoftmaxRow(const AttentionHead& in, int64_t row, float* scores, int64_t width,
                               float* most) {
  Hide(scores, Seen(in, row), width);
  Vec high = Splat(-INFINITY);
  for (int64_t j = 0; j < width; j += kLanes) high = Max(high, Load(scores + j));
  const float top = MaxOf(high);
  *most = top * in.scale;
  Vec sum = {};
  const RowBits bits(in.mask.seed, static_cast<uint64_t>(in.mask_row + row));
  for (int64_t j = 0; j < width; j += kLanes) {
    const Vec weight = Exp((Load(scores + j) - top) * in.scale);
    sum += weight;
    Store(scores + j,
          in.mask.threshold == 0 ? weight : (bits.At(j) < in.mask.threshold ? Vec{} : weight));
  }
  return Sum(sum);
}

static void AttentionForward(const AttentionHead& in, float* out, int64_t out_stride,
                             float* log_sum, float* scratch) {
  const int64_t wide = Pad(in.columns);
  const int64_t deep = Pad(in.head);
  float* key_t = scratch;                      // [head, wide]
  float* value = key_t + in.head * wide;       // [columns, deep]
  float* weights = value + in.columns * deep;  // [kBlock, wide]
  float* result = weights + kBlock * wide;     // [kBlock, deep]
  PackTransposed(in.key, in.key_stride, in.columns, in.head, key_t);
  Pack(in.value, in.value_stride, in.columns, in.head, value);
  for (int64_t first = 0; first < in.rows; first += kBlock) {
    const int64_t rows = Least(kBlock, in.rows - first);
    const int64_t depth = Seen(in, first + rows - 1);
    const int64_t width = Pad(depth);
    Gemm({in.query + first * in.query_stride, in.query_stride, 1}, key_t, wide, weights, wide, rows,
         in.head, width, false);
    float norm[kBlock];
    for (int64_t i = 0; i < rows; ++i) {
      float most = 0;
      const float sum = SoftmaxRow(in, first + i, weights + i * wide, width, &most);
      norm[i] = in.mask.scale / sum;
      log_sum[first + i] = most + std::log(sum);
    }
    Gemm({weights, wide, 1}, value, deep, result, deep, rows, depth, deep, false);
    for (int64_t i = 0; i < rows; ++i) {
      float* to = out + (first + i) * out_stride;
      for (int64_t d = 0; d < in.head; ++d) to[d] = result[i * deep + d] * norm[i];
    }
  }
}

// In: scores = q k^T, weight_grad = dout v^T. Out: scores = weights with dropout (what multiplies
// v), weight_grad = gradient of q k^T.
static inline void SoftmaxRowBackward(const AttentionHead& in, int64_t row, float log_sum,
                                      float delta, float* scores, float* weight_grad,
                                      int64_t width) {
  Hide(scores, Seen(in, row), width);
  const RowBits bits(in.mask.seed, static_cast<uint64_t>(in.mask_row + row));
  for (int64_t j = 0; j < width; j += kLanes) {
    const Vec weight = Exp(Load(scores + j) * in.scale - log_sum);
    Vec kept = weight * in.mask.scale;
    Vec grad = Load(weight_grad + j) * in.mask.scale;
    if (in.mask.threshold != 0) {
      const auto dropped = bits.At(j) < in.mask.threshold;
      kept = dropped ? Vec{} : kept;
      grad = dropped ? Vec{} : grad;
    }
    Store(scores + j, kept);
    Store(weight_grad + j, weight * (grad - delta) * in.scale);
  }
}

static void AttentionBackwardHead(const AttentionHead& in, const AttentionBackward& g,
                                  float* scratch) {
  const int64_t wide = Pad(in.columns);
  const int64_t deep = Pad(in.head);
  float* key_t = scratch;                            // [head, wide]
  float* value_t = key_t + in.head * wide;           // [head, wide]
  float* key = value_t + in.head * wide;             // [columns, deep]
  float* key_grad = key + in.columns * deep;         // [columns, deep]
  float* value_grad = key_grad + in.columns * deep;  // [columns, deep]
  float* query = value_grad + in.columns * deep;     // [rows, deep]
  float* query_grad = query + in.rows * deep;        // [rows, deep]
  float* out_grad = query_grad + in.rows * deep;     // [rows, deep]
  float* weights = out_grad + in.rows * deep;        // [kBlock, wide]
  float* weight_grad = weights + kBlock * wide;      // [kBlock, wide]
  PackTransposed(in.key, in.key_stride, in.columns, in.head, key_t);
  PackTransposed(in.value, in.value_stride, in.columns, in.head, value_t);
  Pack(in.key, in.key_stride, in.columns, in.head, key);
  Pack(in.query, in.query_stride, in.rows, in.head, query);
  Pack(g.out_grad, g.out_stride, in.rows, in.head, out_grad);
  Fill(key_grad, key_grad + 2 * in.columns * deep, 0.0f);  // value_grad follows.
  for (int64_t first = 0; first < in.rows; first += kBlock) {
    const int64_t rows = Least(kBlock, in.rows - first);
    const int64_t depth = Seen(in, first + rows - 1);
    const int64_t width = Pad(depth);
    Gemm({query + first * deep, deep, 1}, key_t, wide, weights, wide, rows, in.head, width, false);
    Gemm({out_grad + first * deep, deep, 1}, value_t, wide, weight_grad, wide, rows, in.head, width,
         false);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = first + i;
      float delta = 0;
      for (int64_t d = 0; d < in.head; ++d) {
        delta += g.out[row * g.out_stride + d] * out_grad[row * deep + d];
      }
      SoftmaxRowBackward(in, row, g.log_sum[row], delta, weights + i * wide, weight_grad + i * wide,
                         width);
    }
    Gemm({weights, 1, wide}, out_grad + first * deep, deep, value_grad, deep, depth, rows, deep,
         true);
    Gemm({weight_grad, 1, wide}, query + first * deep, deep, key_grad, deep, depth, rows, deep,
         true);
    Gemm({weight_grad, wide, 1}, key, deep, query_grad + first * deep, deep, rows, depth, deep,
         false);
  }
  Unpack(query_grad, in.rows, in.head, g.query_grad, g.query_grad_stride);
  Unpack(key_grad, in.columns, in.head, g.key_grad, g.key_grad_stride);
  Unpack(value_grad, in.columns, in.head, g.value_grad, g.value_grad_stride);
}

}  // namespace vlm::trainer::VLM_KERNEL_NAMESPACE
