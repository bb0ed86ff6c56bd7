#include "server/rpc/lttb.h"

#include <cmath>

#include "gtest/gtest.h"

namespace vlm::rpc {
namespace {

v1::Series Line(int n) {
  v1::Series series;
  series.set_name("s");
  for (int i = 0; i < n; ++i) {
    series.add_points()->set_step(i);
    series.mutable_points(i)->set_value(i);
  }
  return series;
}

TEST(ThinTest, KeepsBothEndsAndTheBudget) {
  for (int budget : {1, 2, 3, 10, 99}) {
    v1::Series series = Line(100);
    Thin(&series, budget);
    EXPECT_EQ(series.points_size(), budget);
    EXPECT_EQ(series.points(0).step(), 0);
    EXPECT_TRUE(budget == 1 || series.points().rbegin()->step() == 99);
  }
}

TEST(ThinTest, LeavesAloneWhatFits) {
  v1::Series series = Line(10);
  Thin(&series, 10);
  EXPECT_EQ(series.points_size(), 10);
  Thin(&series, 0);
  EXPECT_EQ(series.points_size(), 10);
}

TEST(ThinTest, KeepsAPeak) {
  v1::Series series = Line(1000);
  series.mutable_points(500)->set_value(1e6);
  Thin(&series, 20);
  bool kept = false;
  for (const auto& point : series.points()) kept |= point.step() == 500;
  EXPECT_TRUE(kept);
}

TEST(ThinTest, SurvivesNan) {
  v1::Series series = Line(100);
  for (auto& point : *series.mutable_points()) point.set_value(NAN);
  Thin(&series, 10);
  EXPECT_EQ(series.points_size(), 10);
}

}  // namespace
}  // namespace vlm::rpc
