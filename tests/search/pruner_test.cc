// Pruners against tables worked out by hand from Optuna's rule.
#include "server/search/pruner.h"

#include <cmath>

#include "gtest/gtest.h"

namespace vlm::search {
namespace {

using Values = absl::btree_map<int64_t, double>;
using Attributes = google::protobuf::Map<std::string, std::string>;

Attributes AttributesOf(std::initializer_list<std::pair<const char*, const char*>> items) {
  Attributes attributes;
  for (const auto& [key, text] : items) attributes[key] = text;
  return attributes;
}

class PrunerTest : public ::testing::Test {
 protected:
  PrunerTest() {
    config_.set_name("median");
    config_.set_n_startup_trials(1);
    config_.set_interval_steps(1);
    config_.set_n_min_trials(1);
  }
  void Add(v1::TrialState state, Values values) {
    TrialView& trial = trials_.emplace_back();
    trial.set_number(static_cast<int64_t>(trials_.size()) - 1);
    trial.set_state(state);
    trial.mutable_extras().intermediate_values = std::move(values);
  }
  // Whether a trial with these reports should end.
  bool Prunes(Values values) {
    Add(v1::TRIAL_STATE_RUNNING, std::move(values));
    auto pruner = MakePruner(config_);
    EXPECT_TRUE(pruner.ok()) << pruner.status();
    const bool prune =
        (*pruner)->Judge({"s", {direction_}, &trials_}, trials_.back().number()).prune;
    trials_.pop_back();
    return prune;
  }
  void AddThree() {
    for (double value : {1.0, 2.0, 3.0}) Add(v1::TRIAL_STATE_COMPLETE, {{5, value}});
  }

  v1::PrunerConfig config_;
  v1::Direction direction_ = v1::DIRECTION_MINIMIZE;
  Trials trials_;
};

TEST_F(PrunerTest, WithoutReportsOrCompleteTrialsNothingIsPruned) {
  EXPECT_FALSE(Prunes({}));
  EXPECT_FALSE(Prunes({{5, 100}}));
}

TEST_F(PrunerTest, TheBestOwnValueIsComparedWithTheMedianStrictly) {
  AddThree();
  EXPECT_TRUE(Prunes({{5, 2.5}}));
  EXPECT_FALSE(Prunes({{5, 2.0}}));
  EXPECT_FALSE(Prunes({{1, 0.5}, {5, 100}}));
}

TEST_F(PrunerTest, MaximizeTurnsTheComparisonAround) {
  direction_ = v1::DIRECTION_MAXIMIZE;
  AddThree();
  EXPECT_TRUE(Prunes({{5, 1.5}}));
  EXPECT_FALSE(Prunes({{5, 2.5}}));
}

TEST_F(PrunerTest, TooFewCompleteTrialsPruneNothing) {
  config_.set_n_startup_trials(4);
  AddThree();
  EXPECT_FALSE(Prunes({{5, 100}}));
}

TEST_F(PrunerTest, WarmupStepsAreLeftAlone) {
  config_.set_n_warmup_steps(6);
  AddThree();
  EXPECT_FALSE(Prunes({{5, 100}}));
}

TEST_F(PrunerTest, OnlyTheFirstReportOfAnIntervalIsJudged) {
  config_.set_interval_steps(4);
  for (int64_t step : {4, 5, 8}) Add(v1::TRIAL_STATE_COMPLETE, {{step, 1.0}});
  EXPECT_TRUE(Prunes({{4, 9}}));
  EXPECT_FALSE(Prunes({{4, 9}, {5, 9}}));
  EXPECT_TRUE(Prunes({{5, 9}, {8, 9}}));
}

TEST_F(PrunerTest, StepsThatNobodyReportedAreNotJudged) {
  AddThree();
  EXPECT_FALSE(Prunes({{6, 100}}));
}

TEST_F(PrunerTest, NanOfOthersIsIgnoredAndOnlyNanOfOnesOwnPrunes) {
  AddThree();
  Add(v1::TRIAL_STATE_COMPLETE, {{5, NAN}});
  EXPECT_TRUE(Prunes({{5, NAN}}));
  EXPECT_FALSE(Prunes({{4, 1.0}, {5, NAN}}));
  EXPECT_TRUE(Prunes({{5, 2.5}}));
}

TEST_F(PrunerTest, PrunedAndFailedTrialsAreNoMeasure) {
  Add(v1::TRIAL_STATE_COMPLETE, {{5, 10.0}});
  Add(v1::TRIAL_STATE_PRUNED, {{5, 1.0}});
  Add(v1::TRIAL_STATE_FAIL, {{5, 1.0}});
  EXPECT_FALSE(Prunes({{5, 9.0}}));
}

TEST_F(PrunerTest, PercentilesAreInterpolatedLinearly) {
  config_.set_name("percentile");
  config_.set_percentile(25);
  AddThree();  // The 25th percentile of 1, 2, 3 is 1.5.
  EXPECT_TRUE(Prunes({{5, 1.51}}));
  EXPECT_FALSE(Prunes({{5, 1.5}}));
}

TEST_F(PrunerTest, SeveralObjectivesAreNotPruned) {
  AddThree();
  Add(v1::TRIAL_STATE_RUNNING, {{5, 100}});
  auto pruner = *MakePruner(config_);
  EXPECT_FALSE(pruner->Judge({"s", {direction_, direction_}, &trials_}, 3).prune);
}

TEST_F(PrunerTest, AnUnknownPrunerIsNamedWithTheKnownOnes) {
  config_.set_name("medain");
  EXPECT_NE(MakePruner(config_).status().message().find("median, percentile, successive_halving"),
            std::string::npos);
}

TEST_F(PrunerTest, OptionsThatNoRuleCanUseAreRefused) {
  for (const char* name : {"successive_halving", "hyperband", "pareto"}) {
    config_.set_name(name);
    config_.set_min_resource(1);
    config_.set_reduction_factor(1);
    EXPECT_EQ(MakePruner(config_).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  config_.set_reduction_factor(3);
  config_.set_min_resource(0);
  config_.set_name("hyperband");
  EXPECT_FALSE(MakePruner(config_).ok());
  config_.set_name("patient");
  config_.set_wrapped("patient");
  EXPECT_FALSE(MakePruner(config_).ok());
}

TEST_F(PrunerTest, AResourceOnceFoundStays) {
  config_.set_name("successive_halving");
  config_.clear_min_resource();
  config_.set_reduction_factor(4);
  Add(v1::TRIAL_STATE_COMPLETE, {{300, 1.0}});
  Add(v1::TRIAL_STATE_RUNNING, {{1, 1.0}});
  const PruneDecision first = (*MakePruner(config_))->Judge({"s", {direction_}, &trials_}, 1);
  ASSERT_EQ(first.attributes.size(), 1u);
  EXPECT_EQ(first.attributes[0], std::make_pair(std::string(kResource), std::string("3")));
  ReadAttributes(AttributesOf({{kResource, "3"}}), &trials_.Edit(1));

  Add(v1::TRIAL_STATE_COMPLETE, {{100000, 1.0}});
  trials_.Edit(1).mutable_extras().intermediate_values[3] = 1.0;
  const PruneDecision second = (*MakePruner(config_))->Judge({"s", {direction_}, &trials_}, 1);
  ASSERT_EQ(second.attributes.size(), 1u);
  EXPECT_EQ(second.attributes[0].first, "completed_rung_0");
}

TEST(TrialAttributesTest, NumbersAreWrittenAsPythonReadsThem) {
  for (const auto& [value, text] :
       std::vector<std::pair<double, std::string>>{{0.1, "0.1"},
                                                   {1.0 / 3, "0.3333333333333333"},
                                                   {2, "2.0"},
                                                   {1e300, "1e+300"},
                                                   {INFINITY, "Infinity"},
                                                   {-INFINITY, "-Infinity"},
                                                   {NAN, "NaN"}}) {
    EXPECT_EQ(JsonNumber(value), text);
  }
  EXPECT_EQ(JsonNumbers({1, NAN}), "[1.0, NaN]");
}

TEST(TrialAttributesTest, TextsThatAreNoNumbersAreLeftOut) {
  TrialView view;
  ReadAttributes(AttributesOf({{"completed_rung_0", "1.5"},
                               {"completed_rung_1", "\"x\""},
                               {"completed_rung_2", "2"},
                               {"vlm:pruner_resource", "null"},
                               {"vlm:intermediate:5", "[1, Infinity]"},
                               {"vlm:intermediate:6", "{}"},
                               {"vlm:intermediate:x", "[1]"}}),
                 &view);
  EXPECT_EQ(view.rungs(), std::vector<double>{1.5});
  EXPECT_EQ(view.pruner_resource(), 0);
  ASSERT_EQ(view.intermediate_vectors().size(), 1u);
  EXPECT_EQ(view.intermediate_vectors().at(5), (std::vector<double>{1, INFINITY}));
}

}  // namespace
}  // namespace vlm::search
