// The pareto pruner against its own rule, worked out by hand or by brute force.
#include "server/search/pareto_pruner.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace vlm::search {
namespace {

class ParetoPrunerTest : public ::testing::Test {
 protected:
  ParetoPrunerTest() {
    config_.set_name("pareto");
    config_.set_reduction_factor(2);
    config_.set_interval_steps(1);
    config_.set_n_min_trials(1);
    study_.directions = {v1::DIRECTION_MINIMIZE, v1::DIRECTION_MAXIMIZE};
    study_.trials = &trials_;
  }
  int64_t Add(std::vector<double> vector, int64_t step = 10) {
    TrialView& trial = trials_.emplace_back();
    trial.set_number(static_cast<int64_t>(trials_.size()) - 1);
    trial.set_state(v1::TRIAL_STATE_COMPLETE);
    trial.mutable_extras().intermediate_vectors[step] = std::move(vector);
    return trial.number();
  }
  bool Prunes(int64_t number) { return (*MakePruner(config_))->Judge(study_, number).prune; }

  v1::PrunerConfig config_;
  StudyView study_;
  Trials trials_;
};

TEST_F(ParetoPrunerTest, TheFirstFrontStaysHoweverLargeItIs) {
  for (double x : {1.0, 2.0, 3.0, 4.0}) Add({x, x});  // Worse in one, better in the other.

  for (int64_t number = 0; number < 4; ++number) EXPECT_FALSE(Prunes(number)) << number;
}

TEST_F(ParetoPrunerTest, ATrialBehindTheBestShareEnds) {
  Add({1, 4});
  Add({2, 5});
  const int64_t second_front = Add({3, 3});
  const int64_t third_front = Add({4, 2});

  EXPECT_TRUE(Prunes(second_front));  // Two of four are in a better front.
  EXPECT_TRUE(Prunes(third_front));
  config_.set_reduction_factor(3);  // One of four may be ahead.
  EXPECT_FALSE(Prunes(Add({1, 4})));
}

TEST_F(ParetoPrunerTest, OnlyTrialsOfTheSameStepAreCompared) {
  Add({1, 4}, 20);
  EXPECT_FALSE(Prunes(Add({9, 0}, 10)));
  EXPECT_TRUE(Prunes(Add({9, 0}, 20)));
}

TEST_F(ParetoPrunerTest, WarmupStartupAndFewTrialsKeep) {
  Add({1, 4});
  const int64_t bad = Add({9, 0});
  EXPECT_TRUE(Prunes(bad));
  config_.set_n_warmup_steps(11);
  EXPECT_FALSE(Prunes(bad));
  config_.set_n_warmup_steps(0);
  config_.set_n_startup_trials(3);
  EXPECT_FALSE(Prunes(bad));
  config_.set_n_startup_trials(0);
  config_.set_n_min_trials(2);
  EXPECT_FALSE(Prunes(bad));
}

TEST_F(ParetoPrunerTest, NanIsWorstAndAVectorOfWrongLengthIsNoReport) {
  Add({1, 4});
  EXPECT_TRUE(Prunes(Add({NAN, 3})));
  EXPECT_FALSE(Prunes(Add({9})));
}

TEST_F(ParetoPrunerTest, WithOneObjectiveItIsTheRankAtTheStep) {
  study_.directions = {v1::DIRECTION_MAXIMIZE};
  for (int i = 0; i < 9; ++i) {
    TrialView& trial = trials_.emplace_back();
    trial.set_number(i);
    trial.mutable_extras().intermediate_values[5] = i;
  }
  config_.set_reduction_factor(3);

  for (int i = 0; i < 9; ++i) EXPECT_EQ(Prunes(i), i < 6) << i;
}

TEST_F(ParetoPrunerTest, TheOthersLeaveSeveralObjectivesAlone) {
  Add({1, 4});
  trials_.Edit(trials_.size() - 1).mutable_extras().intermediate_values[10] = 1;
  const int64_t bad = Add({9, 0});
  trials_.Edit(trials_.size() - 1).mutable_extras().intermediate_values[10] = NAN;
  config_.set_min_resource(1);
  for (const char* name : {"median", "percentile", "successive_halving", "hyperband", "patient",
                           "threshold", "wilcoxon", "none"}) {
    config_.set_name(name);
    EXPECT_FALSE(Prunes(bad)) << name;
  }
}

// Fronts by their definition: peel off what nothing left dominates.
size_t ByPeeling(const std::vector<std::vector<double>>& points, size_t own) {
  std::vector<bool> gone(points.size());
  for (size_t before = 0;;) {
    std::vector<size_t> front;
    for (size_t i = 0; i < points.size(); ++i) {
      bool dominated = gone[i];
      for (size_t j = 0; j < points.size() && !dominated; ++j) {
        bool no_worse = !gone[j];
        bool better = false;
        for (size_t k = 0; k < points[i].size(); ++k) {
          no_worse &= points[j][k] <= points[i][k];
          better |= points[j][k] < points[i][k];
        }
        dominated = no_worse && better;
      }
      if (!dominated) front.push_back(i);
    }
    for (size_t i : front) {
      if (i == own) return before;
      gone[i] = true;
    }
    before += front.size();
  }
}

TEST(InBetterFrontsTest, AgreesWithPeelingForOneToFourCoordinates) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const size_t coordinates = 1 + static_cast<size_t>(round) % 4;
    std::vector<std::vector<double>> points(30, std::vector<double>(coordinates));
    // Few distinct values, so that points coincide and tie.
    for (auto& point : points) {
      for (double& x : point) x = static_cast<double>(random() % 6);
    }
    for (size_t own = 0; own < points.size(); own += 7) {
      ASSERT_EQ(InBetterFronts(points, own), ByPeeling(points, own)) << round << " " << own;
    }
  }
}

}  // namespace
}  // namespace vlm::search
