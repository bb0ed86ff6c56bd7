// Phase clock and the sums of windows.
#include "worker/trainer/profile/phases.h"

#include <gtest/gtest.h>

namespace vlm::trainer {
namespace {

using std::chrono::milliseconds;

TEST(PhaseClockTest, EveryMomentBelongsToOnePhase) {
  PhaseClock clock;
  clock.Lap(Phase::kDataWait);
  clock.Lap(Phase::kForward);
  const v1::PhaseSummary summary = clock.Summary(3, 4, 40);
  EXPECT_NEAR(summary.data_wait_ms() + summary.forward_ms() + summary.other_ms(), summary.wall_ms(),
              1e-9);
  EXPECT_EQ(summary.first_step(), 3);
  EXPECT_EQ(summary.last_step(), 3);
  EXPECT_GT(summary.peak_rss_bytes(), 0);
}

TEST(PhaseClockTest, MovesAtMostWhatIsThere) {
  PhaseClock clock;
  clock.Lap(Phase::kBackward);
  const double before = clock.Milliseconds(Phase::kBackward);
  clock.Move(Phase::kBackward, Phase::kAllreduce, milliseconds(1'000'000));
  EXPECT_EQ(clock.Milliseconds(Phase::kBackward), 0);
  EXPECT_EQ(clock.Milliseconds(Phase::kAllreduce), before);
}

TEST(AddPhasesTest, AddsTimesAndKeepsTheLargerPeak) {
  v1::PhaseSummary a;
  a.set_first_step(1), a.set_last_step(1), a.set_wall_ms(10), a.set_forward_ms(4);
  a.set_samples(8), a.set_peak_rss_bytes(100);
  v1::PhaseSummary b = a;
  b.set_first_step(2), b.set_last_step(2), b.set_peak_rss_bytes(50);
  v1::PhaseSummary sum;
  AddPhases(a, &sum);
  AddPhases(b, &sum);
  EXPECT_EQ(sum.first_step(), 1);
  EXPECT_EQ(sum.last_step(), 2);
  EXPECT_EQ(sum.wall_ms(), 20);
  EXPECT_EQ(sum.forward_ms(), 8);
  EXPECT_EQ(sum.samples(), 16);
  EXPECT_EQ(sum.peak_rss_bytes(), 100);
}

}  // namespace
}  // namespace vlm::trainer
