// The order of an epoch: a Fisher-Yates shuffle whose random numbers depend on (seed, epoch) only,
// on every machine and with every library (the standard defines the engine, not its
// distributions). Thread-safe (no state).
#pragma once

#include <cstdint>
#include <vector>

namespace vlm::data {

// 0 .. n-1, shuffled.
std::vector<int64_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t n);

}  // namespace vlm::data
