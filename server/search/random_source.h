// The stream of numpy.random.RandomState: legacy MT19937, doubles of 53 bits. std::mt19937 with the
// same seed gives the same words. Not thread-safe.
#pragma once

#include <cstdint>
#include <random>
#include <sstream>
#include <string>

namespace vlm::search {

class RandomSource {
 public:
  explicit RandomSource(uint32_t seed) : engine_(seed) {}
  // Uniform in [0, 1).
  double Double() {
    const uint64_t high = engine_() >> 5;
    const uint64_t low = engine_() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }
  std::string State() const {
    std::ostringstream out;
    out << engine_;
    return out.str();
  }
  bool Restore(const std::string& state) {
    std::istringstream in(state);
    in >> engine_;
    return !in.fail();
  }

 private:
  std::mt19937 engine_;
};

}  // namespace vlm::search
