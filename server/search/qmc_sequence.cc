#include "server/search/qmc_sequence.h"

#include <bit>
#include <cmath>
#include <numeric>

namespace vlm::search {
namespace {

// numpy.random.SeedSequence: four words from a seed, by a hash of a pool of four.
std::array<uint64_t, 4> SeedWords(uint64_t seed) {
  uint32_t constant = 0x43b0d7e5;
  const auto hash = [&constant](uint32_t value) {
    value ^= constant;
    constant *= 0x931e8875;
    value *= constant;
    return value ^ value >> 16;
  };
  std::array<uint32_t, 4> pool{};
  for (size_t i = 0; i < pool.size(); ++i) {
    pool[i] = hash(i < 2 ? static_cast<uint32_t>(seed >> (32 * i)) : 0);
  }
  for (size_t from = 0; from < pool.size(); ++from) {
    for (size_t to = 0; to < pool.size(); ++to) {
      if (from == to) continue;
      const uint32_t mixed = 0xca01f9ddU * pool[to] - 0x4973f715U * hash(pool[from]);
      pool[to] = mixed ^ mixed >> 16;
    }
  }
  constant = 0x8b51f9dd;
  std::array<uint64_t, 4> words{};
  for (size_t i = 0; i < 8; ++i) {
    uint32_t value = pool[i % 4] ^ constant;
    constant *= 0x58f38ded;
    value *= constant;
    value ^= value >> 16;
    words[i / 2] |= static_cast<uint64_t>(value) << (32 * (i % 2));
  }
  return words;
}

}  // namespace

// O'Neill's PCG XSL RR 128/64.
Pcg64::Pcg64(uint64_t seed) {
  const std::array<uint64_t, 4> words = SeedWords(seed);
  const auto join = [](uint64_t high, uint64_t low) {
    return static_cast<unsigned __int128>(high) << 64 | low;
  };
  increment_ = join(words[2], words[3]) << 1 | 1;
  Step();
  state_ += join(words[0], words[1]);
  Step();
}

void Pcg64::Step() {
  const auto multiplier =
      static_cast<unsigned __int128>(2549297995355413924ULL) << 64 | 4865540595714422341ULL;
  state_ = state_ * multiplier + increment_;
}

uint64_t Pcg64::Next64() {
  Step();
  return std::rotr(static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_),
                   static_cast<int>(state_ >> 122));
}

uint32_t Pcg64::Next32() {
  if (has_half_) {
    has_half_ = false;
    return half_;
  }
  const uint64_t word = Next64();
  has_half_ = true;
  half_ = static_cast<uint32_t>(word >> 32);
  return static_cast<uint32_t>(word);
}

// Lemire's multiplication without bias.
uint32_t Pcg64::Below(uint32_t limit) {
  if (limit <= 1) return 0;
  uint64_t product = static_cast<uint64_t>(Next32()) * limit;
  const uint32_t threshold = (0U - limit) % limit;
  while (static_cast<uint32_t>(product) < threshold) {
    product = static_cast<uint64_t>(Next32()) * limit;
  }
  return static_cast<uint32_t>(product >> 32);
}

// Places by words that are masked until one is small enough.
void Pcg64::Shuffle(std::vector<uint32_t>& values) {
  for (size_t i = values.size(); i-- > 1;) {
    const auto mask = static_cast<uint32_t>((uint64_t{1} << std::bit_width(i)) - 1);
    uint32_t place = Next32() & mask;
    while (place > i) place = Next32() & mask;
    std::swap(values[i], values[place]);
  }
}

// Bratley and Fox, "Algorithm 659", section 2.
SobolSequence::Directions SobolSequence::Initialize(size_t dimension) {
  const SobolDimension& table = SobolDimensionOf(dimension);
  const auto degree = static_cast<size_t>(std::bit_width(table.polynomial)) - 1;
  Directions v{};
  for (size_t j = 0; j < kBits; ++j) {
    if (dimension == 0) {
      v[j] = 1;
    } else if (j < degree) {
      v[j] = table.initial[j];
    } else {
      v[j] = v[j - degree];
      for (size_t k = 0; k < degree; ++k) {
        if ((table.polynomial >> (degree - 1 - k) & 1) != 0) v[j] ^= v[j - k - 1] << (k + 1);
      }
    }
  }
  for (size_t j = 0; j < kBits; ++j) v[j] <<= kBits - 1 - j;
  return v;
}

SobolSequence::SobolSequence(size_t dimensions, bool scramble, uint64_t seed)
    : shift_(dimensions, 0) {
  for (size_t d = 0; d < dimensions; ++d) directions_.push_back(Initialize(d));
  if (scramble) Scramble(seed);
}

// Matousek's: a digital shift and a random lower triangular matrix of bits in each dimension.
void SobolSequence::Scramble(uint64_t seed) {
  Pcg64 random(seed);
  for (uint32_t& shift : shift_) {
    for (size_t b = 0; b < kBits; ++b) shift |= random.Below(2) << b;
  }
  for (Directions& v : directions_) {
    std::array<uint32_t, kBits> rows{};  // Most significant bit first.
    for (size_t p = 0; p < kBits; ++p) {
      for (size_t k = 0; k < kBits; ++k) {
        const uint32_t bit = random.Below(2);
        if (k == p || (k < p && bit != 0)) rows[p] |= 1U << (kBits - 1 - k);
      }
    }
    for (uint32_t& direction : v) {
      uint32_t mixed = 0;
      for (size_t p = 0; p < kBits; ++p) {
        const auto parity = static_cast<uint32_t>(std::popcount(rows[p] & direction)) & 1;
        mixed |= parity << (kBits - 1 - p);
      }
      direction = mixed;
    }
  }
}

std::vector<double> SobolSequence::At(uint64_t index) const {
  std::vector<double> point(directions_.size());
  const uint64_t gray = index ^ index >> 1;
  for (size_t d = 0; d < point.size(); ++d) {
    uint32_t bits = shift_[d];
    for (size_t b = 0; b < kBits; ++b) {
      if ((gray >> b & 1) != 0) bits ^= directions_[d][b];
    }
    point[d] = static_cast<double>(bits) * 0x1p-30;
  }
  return point;
}

HaltonSequence::HaltonSequence(size_t dimensions, bool scramble, uint64_t seed) {
  for (uint32_t n = 2; bases_.size() < dimensions; ++n) {
    bool prime = true;
    for (uint32_t base : bases_) prime = prime && n % base != 0;
    if (prime) bases_.push_back(n);
  }
  if (!scramble) return;
  Pcg64 random(seed);
  for (uint32_t base : bases_) {
    auto& digits = permutations_.emplace_back();
    const auto count = static_cast<size_t>(std::ceil(54 / std::log2(base))) - 1;
    for (size_t digit = 0; digit < count; ++digit) {
      auto& permutation = digits.emplace_back(base);
      std::iota(permutation.begin(), permutation.end(), 0U);
      random.Shuffle(permutation);
    }
  }
}

// The digits of the index, mirrored at the point; as long as they can change a double.
std::vector<double> HaltonSequence::At(uint64_t index) const {
  std::vector<double> point;
  for (size_t d = 0; d < bases_.size(); ++d) {
    const uint32_t base = bases_[d];
    uint64_t rest = index;
    double weight = 1.0 / base;
    double sum = 0;
    for (size_t digit = 0; 1.0 - weight < 1.0; ++digit) {
      auto value = static_cast<uint32_t>(rest % base);
      if (!permutations_.empty()) value = permutations_[d][digit][value];
      sum += value * weight;
      weight /= base;
      rest /= base;
    }
    point.push_back(sum);
  }
  return point;
}

}  // namespace vlm::search
