// Makes the kernels' dropout masks. Internal to model/.
#pragma once

#include <cmath>
#include <cstdint>

#include "worker/trainer/model/dropout.h"
#include "worker/trainer/model/kernels/kernels.h"

namespace vlm::trainer {

inline DropoutMask MaskOf(double p, uint64_t seed) {
  DropoutMask mask;
  if (p <= 0) return mask;
  mask.seed = seed;
  mask.threshold = static_cast<uint32_t>(std::lround(p * 4294967295.0));
  mask.scale = static_cast<float>(1 / (1 - p));
  return mask;
}

// With a new seed; p 0 draws nothing.
inline DropoutMask MakeMask(double p) { return MaskOf(p, p > 0 ? DrawSeed() : 0); }

}  // namespace vlm::trainer
