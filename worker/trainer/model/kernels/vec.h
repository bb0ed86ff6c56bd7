// Vectors of VLM_KERNEL_LANES floats in compiler extensions. Included once per instruction set,
// with VLM_KERNEL_NAMESPACE set: everything lives there, so that no inline function compiled for a
// newer instruction set can be picked by the linker for an older one.
#pragma once

#include <cstdint>
#include <cstring>

namespace vlm::trainer::VLM_KERNEL_NAMESPACE {

constexpr int64_t kLanes = VLM_KERNEL_LANES;

typedef float Vec __attribute__((vector_size(VLM_KERNEL_LANES * 4)));
typedef uint32_t Bits __attribute__((vector_size(VLM_KERNEL_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(VLM_KERNEL_LANES * 4)));

static inline Vec Load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
static inline void Store(float* to, Vec v) { std::memcpy(to, &v, sizeof(v)); }
static inline Vec Splat(float x) { return x - Vec{}; }

// The first `count` lanes of memory, `fill` in the others.
static inline Vec LoadPart(const float* from, int64_t count, float fill) {
  Vec v = Splat(fill);
  std::memcpy(&v, from, static_cast<size_t>(count) * 4);
  return v;
}
static inline void StorePart(float* to, Vec v, int64_t count) {
  std::memcpy(to, &v, static_cast<size_t>(count) * 4);
}

static inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
static inline float Sum(Vec v) {
  float sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
static inline float MaxOf(Vec v) {
  float most = v[0];
  for (int64_t i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

// e^x to about 1e-7 of itself for x <= 88; 0 below -87 (also for -inf). Range reduction and
// polynomial of the Cephes library (https://www.netlib.org/cephes/, expf).
static inline Vec Exp(Vec x) {
  const Vec in = Max(x, Splat(-87.0f));
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits.
  const Vec shifted = in * 1.44269504088896341f + magic;
  const Vec n = shifted - magic;
  const Vec r = (in - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Vec y = p * (r * r) + (r + 1.0f);
  const Ints power = ((Ints)shifted << 23) + 0x3F800000;
  return x < -87.0f ? Vec{} : y * (Vec)power;
}

static inline uint64_t Mix(uint64_t x) {  // SplitMix64's finaliser.
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ull;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// Uniform 32-bit numbers for (seed, row) at columns [column, column + kLanes): MurmurHash3's 32-bit
// finaliser over a Weyl sequence, with the row's 64 bits mixed in at two places.
class RowBits {
 public:
  RowBits(uint64_t seed, uint64_t row) {
    const uint64_t bits = Mix(seed + (row + 1) * 0x9E3779B97F4A7C15ull);
    low_ = static_cast<uint32_t>(bits);
    high_ = static_cast<uint32_t>(bits >> 32);
    for (int64_t i = 0; i < kLanes; ++i) lane_[i] = static_cast<uint32_t>(i) * 0x9E3779B9u;
  }
  Bits At(int64_t column) const {
    Bits h = lane_ + (static_cast<uint32_t>(column) * 0x9E3779B9u + low_);
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= high_;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    return h ^ (h >> 16);
  }

 private:
  uint32_t low_ = 0;
  uint32_t high_ = 0;
  Bits lane_ = {};
};

}  // namespace vlm::trainer::VLM_KERNEL_NAMESPACE
