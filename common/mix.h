// Numbers whose bits have nothing to do with those of their neighbours.
#pragma once

#include <cstdint>

namespace vlm {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014). 0 gives 0.
constexpr uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace vlm
