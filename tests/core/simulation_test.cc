// The invariants under crashes, loss and repetition; a failure prints its seed.
#include "tests/core/simulation.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace vlm::core {
namespace {

// Of VLM_SIMULATION_SEEDS ("COUNT" or "FIRST-LAST"), by default 1 to 200; `make simulate` runs
// more.
std::pair<uint32_t, uint32_t> Seeds() {
  const char* text = std::getenv("VLM_SIMULATION_SEEDS");
  if (text == nullptr) return {1, 200};
  const std::vector<std::string> ends = absl::StrSplit(text, '-');
  uint32_t first = 1;
  uint32_t last = 0;
  EXPECT_TRUE(absl::SimpleAtoi(ends.back(), &last)) << text;
  EXPECT_TRUE(ends.size() == 1 || absl::SimpleAtoi(ends.front(), &first)) << text;
  return {first, last};
}

TEST(SimulationTest, InvariantsHoldUnderCrashesLossAndRepetition) {
  const auto [first, last] = Seeds();
  for (uint32_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Simulation(seed).Run();
  }
}

TEST(SimulationTest, TheSameSeedGivesTheSameRun) {
  Simulation first(7);
  first.Run();
  Simulation second(7);
  second.Run();

  EXPECT_GT(first.trace().size(), 1000u);
  EXPECT_EQ(first.trace(), second.trace());
}

}  // namespace
}  // namespace vlm::core
