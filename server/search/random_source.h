// The stream of numpy.random.RandomState: legacy MT19937, doubles of 53 bits. std::mt19937 with the
// same seed gives the same words. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vlm::search {

class RandomSource {
 public:
  explicit RandomSource(uint32_t seed) : seed_(seed), engine_(seed) {}
  // Uniform in [0, 1).
  double Double() {
    const uint64_t high = Word() >> 5;
    const uint64_t low = Word() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }
  // The next 32 bits.
  uint32_t Word() {
    ++words_;
    return static_cast<uint32_t>(engine_());
  }
  // Uniform in [0, limit), as randint and shuffle draw it: words masked until one is small enough.
  uint32_t Below(uint32_t limit) {
    if (limit <= 1) return 0;
    uint32_t mask = limit - 1;
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    uint32_t word = Word() & mask;
    while (word >= limit) word = Word() & mask;
    return word;
  }
  // Index with the given probabilities, as choice draws it.
  size_t Choose(const std::vector<double>& weights) {
    std::vector<double> cumulative(weights.size());
    std::partial_sum(weights.begin(), weights.end(), cumulative.begin());
    const double total = cumulative.back();
    for (double& c : cumulative) c /= total;
    const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), Double());
    return std::min(static_cast<size_t>(at - cumulative.begin()), weights.size() - 1);
  }
  uint32_t seed() const { return seed_; }
  uint64_t words() const { return words_; }
  // The seed and how far the stream has been read: short enough to be stored with each suggestion.
  // Going there again takes some nanoseconds a word.
  std::string State() const { return absl::StrCat("mt19937 ", seed_, " ", words_); }
  bool Restore(absl::string_view state) {
    const std::vector<absl::string_view> parts = absl::StrSplit(state, ' ');
    uint32_t seed = 0;
    uint64_t words = 0;
    if (parts.size() != 3 || parts[0] != "mt19937" || !absl::SimpleAtoi(parts[1], &seed) ||
        !absl::SimpleAtoi(parts[2], &words)) {
      return false;
    }
    seed_ = seed;
    words_ = words;
    engine_.seed(seed);
    engine_.discard(words);
    return true;
  }

 private:
  uint32_t seed_;
  uint64_t words_ = 0;
  std::mt19937 engine_;
};

}  // namespace vlm::search
