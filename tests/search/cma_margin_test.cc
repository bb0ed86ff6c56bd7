// CMA-ES with margin and its warm start.
#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "server/search/cma_es.h"

namespace vlm::search {
namespace {

double Cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

TEST(CmaMarginTest, DiscreteParametersComeAtTheirValues) {
  CmaMargin margin({0, 0.25}, 0.1);
  EXPECT_FALSE(margin.Discrete(0));
  EXPECT_EQ(margin.Encode({0.3, 0.37}, {0.5, 0.5}), (std::vector<double>{0.3, 0.25}));
  EXPECT_EQ(margin.Encode({0.3, 0.38}, {0.5, 0.5}), (std::vector<double>{0.3, 0.5}));
  EXPECT_EQ(margin.Encode({0.3, -4}, {0.5, 0.5}), (std::vector<double>{0.3, 0}));
  EXPECT_EQ(margin.Encode({0.3, 4}, {0.5, 0.5}), (std::vector<double>{0.3, 1}));
  margin.widths()[1] = 3;  // 0.5 + 3 * 0.1
  EXPECT_EQ(margin.Encode({0.3, 0.6}, {0.5, 0.5}), (std::vector<double>{0.3, 0.75}));
}

TEST(CmaMarginTest, ANarrowDistributionKeepsBothNeighboursInReach) {
  CmaMargin margin({0.25}, 0.1);
  std::vector<double> mean = {0.52};
  margin.Correct({0.001}, &mean);
  const double deviation = 0.001 * margin.widths()[0];
  EXPECT_NEAR(Cdf((0.375 - mean[0]) / deviation), 0.05, 1e-6);
  EXPECT_NEAR(1 - Cdf((0.625 - mean[0]) / deviation), 0.05, 1e-6);
}

TEST(CmaMarginTest, AtAnEndOfTheRangeTheOtherValuesStayInReach) {
  for (const double end : {-0.1, 1.1}) {
    CmaMargin margin({0.25}, 0.1);
    std::vector<double> mean = {end};
    margin.Correct({0.01}, &mean);
    const double inside =
        end < 0 ? 1 - Cdf((0.125 - mean[0]) / 0.01) : Cdf((0.875 - mean[0]) / 0.01);
    EXPECT_NEAR(inside, 0.1, 1e-6) << end;
    EXPECT_EQ(margin.widths()[0], 1);
  }
}

TEST(CmaMarginTest, AWideDistributionIsLeftAsItIs) {
  CmaMargin margin({0.25, 0}, 0.1);
  std::vector<double> mean = {0.52, 0.3};
  margin.Correct({0.3, 1e-9}, &mean);
  EXPECT_NEAR(mean[0], 0.52, 1e-9);
  EXPECT_NEAR(margin.widths()[0], 1, 1e-9);
  EXPECT_EQ(mean[1], 0.3);
}

// Without margin a whole number freezes once the deviation is far below its step.
TEST(CmaMarginTest, DoesNotFreeze) {
  CmaEs::Options options;
  options.dimensions = 2;
  options.steps = {0, 0.1};
  CmaEs search(options);
  uint32_t seed = 1;
  std::vector<double> last;
  for (int generation = 0; generation < 60; ++generation) {
    std::vector<CmaEs::Solution> solutions;
    last.clear();
    for (size_t i = 0; i < search.population_size(); ++i) {
      const std::vector<double> x = search.Ask(seed++);
      const std::vector<double> tried = search.Encode(x);
      last.push_back(tried[1]);
      solutions.push_back({x, std::pow(tried[0] - 0.3, 2) + std::pow(tried[1] - 0.7, 2)});
    }
    search.Tell(solutions);
  }
  int elsewhere = 0;
  for (int i = 0; i < 1000; ++i) {
    elsewhere += std::abs(search.Encode(search.Ask(seed++))[1] - 0.7) > 0.05 ? 1 : 0;
  }
  const double margin = 1.0 / (2.0 * static_cast<double>(search.population_size()));
  EXPECT_GT(elsewhere, 1000 * margin / 2);
  EXPECT_LT(elsewhere, 600);
  CmaEs again(options);
  ASSERT_TRUE(again.Restore(search.State()));
  EXPECT_EQ(again.Encode(again.Ask(7)), search.Encode(search.Ask(7)));
}

TEST(WarmStartTest, IsTheDistributionOfTheBestTenth) {
  std::vector<CmaEs::Solution> solutions;
  for (int i = 0; i < 30; ++i) solutions.push_back({{i / 30.0, 0.5}, std::abs(i - 12.0)});
  const CmaStart start = WarmStart(solutions);  // Numbers 11, 12 and 13.
  EXPECT_NEAR(start.mean[0], 0.4, 1e-12);
  EXPECT_NEAR(start.mean[1], 0.5, 1e-12);
  const double square = start.sigma * start.sigma;
  EXPECT_NEAR(square * start.covariance[0], 0.01 + 2.0 / 3 / 900, 1e-12);
  EXPECT_NEAR(square * start.covariance[3], 0.01, 1e-12);
  EXPECT_NEAR(start.covariance[0] * start.covariance[3] - start.covariance[1] * start.covariance[2],
              1, 1e-9);
}

}  // namespace
}  // namespace vlm::search
