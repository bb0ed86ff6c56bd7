// What the kernel tests share: which instruction sets this machine can test, and random numbers.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "worker/trainer/model/kernels/kernels.h"

namespace vlm::trainer {

inline std::vector<std::string> TestedInstructionSets() {
  std::vector<std::string> names;
  for (const char* name : {"avx512", "avx2", "baseline"}) {
    if (FindKernels(name) != nullptr) names.push_back(name);
  }
  return names;
}

inline std::vector<float> Normal(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline DropoutMask Mask(double p, uint64_t seed) {
  DropoutMask mask;
  mask.seed = seed;
  mask.threshold = static_cast<uint32_t>(p * 4294967295.0);
  mask.scale = static_cast<float>(1 / (1 - p));
  return mask;
}

// Which of `count` elements of row `row` are kept, as factors (0 or the scale): an attention of
// equal scores shows its mask when the values are unit vectors.
inline std::vector<float> RowMask(const Kernels& kernels, const DropoutMask& mask, int64_t row,
                                  int64_t count) {
  std::vector<float> zero(static_cast<size_t>(count)), unit(static_cast<size_t>(count * count));
  for (int64_t i = 0; i < count; ++i) unit[static_cast<size_t>(i * count + i)] = 1;
  AttentionHead in{};
  in.query = zero.data();
  const std::vector<float> keys(static_cast<size_t>(count * count));
  in.key = keys.data();
  in.value = unit.data();
  in.query_stride = in.key_stride = in.value_stride = count;
  in.rows = 1;
  in.columns = in.head = count;
  in.scale = 1;
  in.mask = mask;
  in.mask_row = row;
  std::vector<float> out(static_cast<size_t>(count));
  float log_sum = 0;
  std::vector<float> scratch(static_cast<size_t>(kernels.attention_scratch(1, count, count)));
  kernels.attention_forward(in, out.data(), count, &log_sum, scratch.data());
  for (float& value : out) value *= static_cast<float>(count);
  return out;
}

}  // namespace vlm::trainer
