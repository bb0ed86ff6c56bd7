// Dropout and softmax cross-entropy. Included once per instruction set (vec.h).
#pragma once

#include <cmath>

#include "worker/trainer/model/kernels/kernels.h"
#include "worker/trainer/model/kernels/vec.h"

namespace vlm::trainer::VLM_KERNEL_NAMESPACE {

constexpr int64_t kMaskRow = 4096;  // Elements that share a row of RowBits.

static void DropoutRange(const float* x, const float* add, float* out, int64_t begin, int64_t end,
                         const DropoutMask& mask) {
  while (begin < end) {
    const int64_t row = begin / kMaskRow;
    const int64_t stop = end < (row + 1) * kMaskRow ? end : (row + 1) * kMaskRow;
    const RowBits bits(mask.seed, static_cast<uint64_t>(row));
    for (int64_t i = begin; i < stop; i += kLanes) {
      const int64_t count = stop - i < kLanes ? stop - i : kLanes;
      const Vec in = count == kLanes ? Load(x + i) : LoadPart(x + i, count, 0);
      Vec kept = bits.At(i - row * kMaskRow) < mask.threshold ? Vec{} : in * mask.scale;
      if (add != nullptr) kept += count == kLanes ? Load(add + i) : LoadPart(add + i, count, 0);
      if (count == kLanes) {
        Store(out + i, kept);
      } else {
        StorePart(out + i, kept, count);
      }
    }
    begin = stop;
  }
}

// logits += bias; returns their maximum.
static inline float AddBias(float* logits, const float* bias, int64_t columns) {
  Vec high = Splat(-INFINITY);
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    const Vec v = Load(logits + j) + Load(bias + j);
    Store(logits + j, v);
    high = Max(high, v);
  }
  float most = MaxOf(high);
  for (; j < columns; ++j) {
    logits[j] += bias[j];
    most = logits[j] > most ? logits[j] : most;
  }
  return most;
}

// Sum of e^(logit - most); with `keep` the summands replace the logits.
static inline float ExpSum(float* logits, int64_t columns, float most, bool keep) {
  Vec sum = {};
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    const Vec e = Exp(Load(logits + j) - most);
    sum += e;
    if (keep) Store(logits + j, e);
  }
  if (j < columns) {
    const Vec e = Exp(LoadPart(logits + j, columns - j, -INFINITY) - most);
    sum += e;
    if (keep) StorePart(logits + j, e, columns - j);
  }
  return Sum(sum);
}

static double CrossEntropyRows(float* logits, const float* bias, const int64_t* targets,
                               int64_t rows, int64_t columns, bool gradient, float weight) {
  double loss = 0;
  for (int64_t i = 0; i < rows; ++i) {
    float* row = logits + i * columns;
    if (targets[i] < 0) {
      if (gradient) std::memset(row, 0, static_cast<size_t>(columns) * 4);
      continue;
    }
    const float most = AddBias(row, bias, columns);
    const float at_target = row[targets[i]];
    const float sum = ExpSum(row, columns, most, gradient);
    loss += static_cast<double>(most) + std::log(static_cast<double>(sum)) - at_target;
    if (!gradient) continue;
    const float factor = weight / sum;
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) Store(row + j, Load(row + j) * factor);
    for (; j < columns; ++j) row[j] *= factor;
    row[targets[i]] -= weight;
  }
  return loss;
}

}  // namespace vlm::trainer::VLM_KERNEL_NAMESPACE
