// Ticks and scales: what people read beside a plot.
#include "insight/plot/axes.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::insight {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const Scale& scale, int target, bool whole = false) {
  std::vector<std::string> labels;
  for (const Tick& tick : MakeTicks(scale, target, whole)) labels.push_back(tick.label);
  return labels;
}

Range RangeOf(const std::vector<double>& values) {
  Range range;
  for (const double v : values) range.Add(v);
  return range;
}

TEST(TicksTest, AreRoundNumbersWithEquallyManyDigits) {
  EXPECT_THAT(Labels({0.93, 3.1, false}, 4), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Labels({0.1, 0.62, false}, 5), ElementsAre("0.2", "0.4", "0.6"));
}

TEST(TicksTest, OfTrialNumbersAreWhole) {
  EXPECT_THAT(Labels({0, 2, false}, 8, true), ElementsAre("0", "1", "2"));
}

TEST(TicksTest, OfALogScaleArePowersOfTen) {
  EXPECT_THAT(Labels({1e-5, 1e-2, true}, 6), ElementsAre("1e-5", "1e-4", "0.001", "0.01"));
}

TEST(TicksTest, OfAShortLogScaleHaveStepsBetween) {
  EXPECT_THAT(Labels({0.4, 4, true}, 6), ElementsAre("0.5", "1", "2", "3"));
}

TEST(TicksTest, OfHugeAndTinyValuesAreShort) {
  for (const std::string& label : Labels({0, 3e9, false}, 5)) EXPECT_LE(label.size(), 8U) << label;
  for (const std::string& label : Labels({0, 3e-9, false}, 5)) EXPECT_LE(label.size(), 8U) << label;
}

TEST(TicksTest, StayFewForEverySpan) {
  for (const double high : {1e-300, 1e-12, 1.0, 7e5, 1e300}) {
    const size_t n = MakeTicks({0, high, false}, 6, false).size();
    EXPECT_GE(n, 2U) << high;
    EXPECT_LE(n, 10U) << high;
  }
}

TEST(ScaleTest, IgnoresWhatIsNotFinite) {
  const double inf = std::numeric_limits<double>::infinity();

  const Range range = RangeOf({inf, 1, -inf, std::numeric_limits<double>::quiet_NaN(), 3});

  EXPECT_EQ(range.low(), 1);
  EXPECT_EQ(range.high(), 3);
}

TEST(ScaleTest, GivesASingleValueRoomAroundIt) {
  for (const double value : {0.0, 5.0, -5.0, 1e200}) {
    const Scale scale = MakeScale(RangeOf({value}), false, 0.05);
    EXPECT_NEAR(scale.Map(value), 0.5, 1e-9) << value;
  }
}

TEST(ScaleTest, OfNothingIsZeroToOne) {
  const Scale scale = MakeScale({}, false, 0.05);

  EXPECT_EQ(scale.low, 0);
  EXPECT_EQ(scale.high, 1);
}

}  // namespace
}  // namespace vlm::insight
