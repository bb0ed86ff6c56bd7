// Low-discrepancy sequences with SciPy's numbers (scipy.stats.qmc): Sobol with 30 bits, Halton;
// plain or scrambled by a seed. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlm::search {

struct SobolDimension {
  uint32_t polynomial;
  std::array<uint32_t, 10> initial;
};
inline constexpr size_t kMaxSobolDimensions = 128;
// REQUIRES: dimension < kMaxSobolDimensions.
const SobolDimension& SobolDimensionOf(size_t dimension);

// numpy.random.Generator over PCG64, as far as scrambling needs it.
class Pcg64 {
 public:
  explicit Pcg64(uint64_t seed);
  // Uniform in [0, limit), as integers() draws it.
  uint32_t Below(uint32_t limit);
  // In place, as shuffle() does.
  void Shuffle(std::vector<uint32_t>& values);

 private:
  uint64_t Next64();
  uint32_t Next32();
  void Step();

  unsigned __int128 state_ = 0;
  unsigned __int128 increment_ = 0;
  bool has_half_ = false;
  uint32_t half_ = 0;
};

class SobolSequence {
 public:
  // REQUIRES: dimensions <= kMaxSobolDimensions.
  SobolSequence(size_t dimensions, bool scramble, uint64_t seed);
  // Coordinates in [0, 1). REQUIRES: index < 2^30.
  std::vector<double> At(uint64_t index) const;

 private:
  static constexpr size_t kBits = 30;
  using Directions = std::array<uint32_t, kBits>;
  static Directions Initialize(size_t dimension);
  void Scramble(uint64_t seed);

  std::vector<Directions> directions_;
  std::vector<uint32_t> shift_;
};

class HaltonSequence {
 public:
  HaltonSequence(size_t dimensions, bool scramble, uint64_t seed);
  std::vector<double> At(uint64_t index) const;

 private:
  std::vector<uint32_t> bases_;
  // Per dimension and digit; empty: not scrambled.
  std::vector<std::vector<std::vector<uint32_t>>> permutations_;
};

}  // namespace vlm::search
