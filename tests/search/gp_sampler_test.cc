// What the Gaussian process sampler makes of a study: pending trials, constraints, objectives, long
// histories.
#include "server/search/gp_sampler.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/search/gp_history.h"
#include "tests/search/golden_file.h"

namespace vlm::search {
namespace {

class GpSamplerTest : public ::testing::Test {
 protected:
  GpSamplerTest() : space_{FloatParam("x", 0, 1, false), FloatParam("y", 0, 1, false)} {}

  StudyView Study(int objectives = 1) const {
    return {"s",
            std::vector<v1::Direction>(static_cast<size_t>(objectives), v1::DIRECTION_MINIMIZE),
            &trials_};
  }
  TrialView& Add(double x, double y, v1::TrialState state = v1::TRIAL_STATE_COMPLETE) {
    TrialView& view = trials_.emplace_back();
    view.set_number(static_cast<int64_t>(trials_.size()) - 1);
    view.set_state(state);
    view.AddParam("x", space_[0].distribution(), x);
    view.AddParam("y", space_[1].distribution(), y);
    if (state == v1::TRIAL_STATE_COMPLETE) view.set_values({Bowl(x, y)});
    return view;
  }
  static double Bowl(double x, double y) { return std::pow(x - 0.3, 2) + std::pow(y - 0.7, 2); }
  void AddRandom(int count, uint32_t seed) {
    RandomSource random(seed);
    for (int i = 0; i < count; ++i) {
      const double x = random.Double();
      Add(x, random.Double());
    }
  }
  template <typename Change>
  void Each(const Change& change) {
    for (size_t i = 0; i < trials_.size(); ++i) change(trials_.Edit(i));
  }
  // The next point, drawn by a fresh sampler that knows all trials.
  absl::StatusOr<InternalParams> Sample(const StudyView& study, uint32_t seed = 1) {
    GpSampler sampler({5, 300}, seed);
    for (const TrialView& trial : trials_) sampler.Observe(study, trial.number());
    return sampler.SampleRelative(study, static_cast<int64_t>(trials_.size()), space_);
  }
  Space space_;
  Trials trials_;
};

TEST_F(GpSamplerTest, WaitsForItsStartupTrials) {
  AddRandom(4, 1);
  EXPECT_TRUE(Sample(Study())->empty());
  AddRandom(1, 2);
  EXPECT_EQ(Sample(Study())->size(), 2u);
}

TEST_F(GpSamplerTest, ComesNearTheMinimumAndMaximum) {
  AddRandom(20, 1);
  const InternalParams least = *Sample(Study());
  EXPECT_NEAR(least.at("x"), 0.3, 0.1);
  EXPECT_NEAR(least.at("y"), 0.7, 0.1);
  StudyView study = Study();
  study.directions = {v1::DIRECTION_MAXIMIZE};
  const InternalParams most = *Sample(study);  // At the far corner.
  EXPECT_GT(most.at("x"), 0.9);
  EXPECT_LT(most.at("y"), 0.1);
}

TEST_F(GpSamplerTest, EqualSeedsGiveEqualPoints) {
  AddRandom(20, 1);
  Add(0.5, 0.5, v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(*Sample(Study(), 3), *Sample(Study(), 3));
  EXPECT_NE(*Sample(Study(), 3), *Sample(Study(), 4));
}

TEST_F(GpSamplerTest, KeepsAwayFromWhatIsPending) {
  AddRandom(12, 1);
  std::vector<std::pair<double, double>> asked;
  for (int i = 0; i < 5; ++i) {
    const InternalParams next = *Sample(Study());
    for (const auto& [x, y] : asked) {
      EXPECT_GT(std::hypot(next.at("x") - x, next.at("y") - y), 0.02) << i;
    }
    asked.emplace_back(next.at("x"), next.at("y"));
    Add(next.at("x"), next.at("y"), v1::TRIAL_STATE_RUNNING);
  }
}

TEST_F(GpSamplerTest, PendingTrialsAtOnePlaceDoNotStopIt) {
  AddRandom(8, 1);
  for (int i = 0; i < 70; ++i) Add(0.5, 0.5, v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(Sample(Study())->size(), 2u);
}

TEST_F(GpSamplerTest, StaysWhereConstraintsHold) {
  AddRandom(25, 1);
  Each([](TrialView& trial) {  // x >= 0.5
    trial.mutable_extras().constraints = {0.5 - trial.params()[0].value};
  });
  const InternalParams next = *Sample(Study());
  EXPECT_GT(next.at("x"), 0.48);
  EXPECT_LT(next.at("x"), 0.6);
  EXPECT_NEAR(next.at("y"), 0.7, 0.1);
}

TEST_F(GpSamplerTest, LooksForAFeasiblePointWhileThereIsNone) {
  RandomSource random(5);
  for (int i = 0; i < 15; ++i) {
    const double x = 0.8 * random.Double();
    Add(x, random.Double()).mutable_extras().constraints = {0.9 - x, -1};
  }
  Add(0.4, 0.4, v1::TRIAL_STATE_RUNNING);
  EXPECT_GT(Sample(Study())->at("x"), 0.8);
}

TEST_F(GpSamplerTest, TakesTrialsWithoutTheConstraintsOfOthersAsFeasible) {
  AddRandom(12, 1);
  for (size_t i = 0; i < 6; ++i) {
    trials_.Edit(i).mutable_extras().constraints = {1, 0.5 - trials_[i].params()[0].value};
  }
  EXPECT_EQ(Sample(Study())->size(), 2u);
}

TEST_F(GpSamplerTest, TakesThreeObjectivesAndRefusesFour) {
  AddRandom(12, 1);
  Add(0.2, 0.2, v1::TRIAL_STATE_RUNNING);
  Each([](TrialView& trial) {
    if (trial.values().empty()) return;
    const double x = trial.params()[0].value;
    const double y = trial.params()[1].value;
    trial.set_values({Bowl(x, y), Bowl(x + 0.2, y), Bowl(x, y - 0.2)});
  });
  EXPECT_EQ(Sample(Study(3))->size(), 2u);
  const absl::Status refused = Sample(Study(4)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(), "gp takes up to 3 objectives, not 4; use tpe or nsga3 for more");
}

TEST_F(GpSamplerTest, LearnsFromTheBestAndTheNewestOfALongHistory) {
  for (int i = 0; i < 20; ++i) Add(i / 20.0, 0.7);  // Best at x = 0.3, number 6.
  const gp::History history = gp::ReadHistory(Study(), 20, space_, 6);
  EXPECT_EQ(history.complete, 20u);
  std::vector<double> x;
  for (const double place : history.points.row(0)) x.push_back(std::round(place * 20));
  EXPECT_EQ(x, (std::vector<double>{5, 6, 7, 17, 18, 19}));
  EXPECT_EQ(gp::ReadHistory(Study(), 20, space_, 0).points.cols(), 20);
}

TEST_F(GpSamplerTest, TheFrontIsTheBestOfSeveralObjectives) {
  for (int i = 0; i < 20; ++i) {
    TrialView& view = Add(i / 20.0, 0);
    view.set_values({i < 3 ? 1.0 * i : 5, i < 3 ? -1.0 * i : 5});
    if (i == 2) view.mutable_extras().constraints = {1};
  }
  const gp::History history = gp::ReadHistory(Study(2), 20, space_, 4);
  std::vector<double> x;
  for (const double place : history.points.row(0)) x.push_back(std::round(place * 20));
  EXPECT_EQ(x, (std::vector<double>{0, 1, 18, 19}));
  EXPECT_TRUE(history.Feasible(0));
}

TEST_F(GpSamplerTest, EqualAndInfiniteValuesDoNotStopIt) {
  AddRandom(10, 1);
  Each([](TrialView& trial) { trial.set_values({3}); });
  EXPECT_EQ(Sample(Study())->size(), 2u);
  Each([](TrialView& trial) { trial.set_values({HUGE_VAL}); });
  EXPECT_EQ(Sample(Study())->size(), 2u);
  Each([](TrialView& trial) { trial.mutable_extras().constraints = {HUGE_VAL}; });
  EXPECT_EQ(Sample(Study())->size(), 2u);
}

TEST_F(GpSamplerTest, SteppedAndWideRangesGiveValuesOfTheirs) {
  space_ = {IntParam("x", 1, 1'000'000, true), FloatParam("y", 0, 1, false, 0.25)};
  RandomSource random(2);
  for (int i = 0; i < 12; ++i) {
    Add(1 + random.Below(1000), 0.25 * random.Below(5)).set_values({random.Double()});
  }
  const InternalParams next = *Sample(Study());
  EXPECT_EQ(next.at("x"), std::rint(next.at("x")));
  EXPECT_EQ(next.at("y") * 4, std::rint(next.at("y") * 4));
}

}  // namespace
}  // namespace vlm::search
