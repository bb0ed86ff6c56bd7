#include "worker/trainer/data/random_order.h"

#include <numeric>
#include <random>
#include <utility>

#include "common/mix.h"

namespace vlm::data {
namespace {

// A step of SplitMix64: neighbouring seeds share no bits afterwards, and 0 is a seed like others.
uint64_t Mix(uint64_t x) { return Mix64(x + 0x9E3779B97F4A7C15); }

// Without bias: numbers of the incomplete last interval are drawn again.
uint64_t Below(std::mt19937_64& engine, uint64_t n) {
  const uint64_t rest = (0 - n) % n;  // 2^64 mod n
  uint64_t x = engine();
  while (x < rest) x = engine();
  return x % n;
}

}  // namespace

std::vector<int64_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 engine(Mix(Mix(seed) + static_cast<uint64_t>(epoch)));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[Below(engine, i)]);
  return order;
}

}  // namespace vlm::data
