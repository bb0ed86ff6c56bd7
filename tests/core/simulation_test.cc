// The invariants under crashes, loss and repetition; a failure prints its seed.
#include "tests/core/simulation.h"

namespace vlm::core {
namespace {

constexpr int kSeeds = 200;

TEST(SimulationTest, InvariantsHoldUnderCrashesLossAndRepetition) {
  for (uint32_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
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
