// Smoothing and thinning of series.
#include "insight/plot/series.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::insight {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

std::vector<PlotPoint> Series(const std::vector<double>& values) {
  std::vector<PlotPoint> points;
  for (const double v : values) points.push_back({static_cast<double>(points.size()), v});
  return points;
}

std::vector<double> Values(const std::vector<PlotPoint>& points) {
  std::vector<double> values;
  for (const PlotPoint& p : points) values.push_back(p.value);
  return values;
}

TEST(SmoothEmaTest, StartsAtTheFirstValueAndKeepsAConstant) {
  EXPECT_THAT(Values(SmoothEma(Series({4, 4, 4}), 0.9)),
              ElementsAre(DoubleNear(4, 1e-12), DoubleNear(4, 1e-12), DoubleNear(4, 1e-12)));
}

TEST(SmoothEmaTest, WeighsByTheBiasCorrectedFormula) {
  // (0.5 * 0.5 * 1 + 0.5 * 3) / (1 - 0.25)
  EXPECT_NEAR(SmoothEma(Series({1, 3}), 0.5)[1].value, 1.75 / 0.75, 1e-12);
}

TEST(SmoothEmaTest, PassesNanThroughWithoutSpoilingWhatFollows) {
  const std::vector<double> out = Values(SmoothEma(Series({2, std::nan(""), 2}), 0.9));

  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_NEAR(out[2], 2, 1e-12);
}

TEST(DecimateTest, KeepsASpikeOfOneStepInAMillion) {
  std::vector<PlotPoint> points;
  for (int i = 0; i < 1'000'000; ++i) points.push_back({double(i), i == 123'456 ? 99.0 : 1.0});

  const std::vector<PlotPoint> out = DecimateMinMax(points, 0, 1e6, 800);

  EXPECT_LE(out.size(), 800U * 4);
  EXPECT_THAT(Values(out), testing::Contains(99.0));
}

TEST(DecimateTest, KeepsOrderAndEnds) {
  const std::vector<PlotPoint> out = DecimateMinMax(Series({5, 1, 9, 4, 6}), 0, 5, 1);

  EXPECT_THAT(Values(out), ElementsAre(5, 1, 9, 6));
}

TEST(DecimateTest, KeepsGapsOfNan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();

  const std::vector<double> out = Values(DecimateMinMax(Series({1, nan, 2}), 0, 3, 3));

  ASSERT_EQ(out.size(), 3U);
  EXPECT_TRUE(std::isnan(out[1]));
}

TEST(DecimateTest, ReturnsTheInputWhenThereIsNoSpan) {
  EXPECT_EQ(DecimateMinMax(Series({1, 2}), 3, 3, 100).size(), 2U);
  EXPECT_TRUE(DecimateMinMax({}, 0, 1, 100).empty());
}

}  // namespace
}  // namespace vlm::insight
