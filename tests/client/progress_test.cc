#include "client/follow/progress.h"

#include <cmath>

#include "gtest/gtest.h"

namespace vlm::client {
namespace {

TEST(BarTest, FillsFromLeftToRight) {
  EXPECT_EQ(Bar(0, 12), "[..........]");
  EXPECT_EQ(Bar(0.5, 12), "[#####.....]");
  EXPECT_EQ(Bar(1, 12), "[##########]");
}

TEST(BarTest, NeverLeavesItsWidth) {
  EXPECT_EQ(Bar(7, 6), "[####]");
  EXPECT_EQ(Bar(-1, 6), "[....]");
  EXPECT_EQ(Bar(std::nan(""), 6), "[....]");
  EXPECT_EQ(Bar(0.99, 6), "[###.]");  // Full only when done.
}

Progress Half() {
  Progress p;
  p.total = 10;
  p.ended = 4;
  p.fractions = 1;
  p.elapsed = absl::Minutes(10);
  return p;
}

TEST(TimeLeftTest, GoesOnAtTheSpeedSoFar) {
  EXPECT_DOUBLE_EQ(DoneFraction(Half()), 0.5);
  EXPECT_EQ(TimeLeft(Half()), absl::Minutes(10));
}

TEST(TimeLeftTest, IsAtMostTheTimeBudget) {
  Progress p = Half();
  p.timeout = absl::Minutes(12);
  EXPECT_EQ(TimeLeft(p), absl::Minutes(2));
  p.elapsed = absl::Minutes(13);
  EXPECT_EQ(TimeLeft(p), absl::ZeroDuration());
}

TEST(TimeLeftTest, IsUnknownBeforeThereIsAnythingToGoBy) {
  Progress p = Half();
  p.elapsed = absl::Seconds(1);
  EXPECT_EQ(TimeLeft(p), std::nullopt);
  p = Half();
  p.ended = 0;
  p.fractions = 0.01;
  EXPECT_EQ(TimeLeft(p), std::nullopt);
}

TEST(TimeLeftTest, IsZeroWhenAllIsDone) {
  Progress p = Half();
  p.ended = 10;
  EXPECT_EQ(TimeLeft(p), absl::ZeroDuration());
}

TEST(TimeLeftTest, AStudyWithoutBudgetHasNoFraction) {
  Progress p = Half();
  p.total = 0;
  EXPECT_EQ(DoneFraction(p), 0);
  EXPECT_EQ(TimeLeft(p), std::nullopt);
}

}  // namespace
}  // namespace vlm::client
