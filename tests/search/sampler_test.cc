// What every sampler promises: values in range, state that carries over, order.
#include "server/search/sampler.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace vlm::search {
namespace {

v1::Distribution IntRange(int64_t low, int64_t high) {
  v1::Distribution distribution;
  distribution.mutable_int_distribution()->set_low(low);
  distribution.mutable_int_distribution()->set_high(high);
  return distribution;
}

Space SomeSpace() {
  Space space(3);
  space[0].set_name("z");
  space[0].mutable_distribution()->mutable_float_distribution()->set_low(1e-5);
  space[0].mutable_distribution()->mutable_float_distribution()->set_high(1);
  space[0].mutable_distribution()->mutable_float_distribution()->set_log(true);
  space[1].set_name("fixed");
  *space[1].mutable_distribution() = IntRange(7, 7);
  space[2].set_name("a");
  for (const char* choice : {"x", "y"}) {
    space[2]
        .mutable_distribution()
        ->mutable_categorical_distribution()
        ->add_choices()
        ->set_string_value(choice);
  }
  return space;
}

class SamplerTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Sampler> Make(uint32_t seed) const {
    v1::SamplerConfig config;
    config.set_name(GetParam());
    config.set_n_startup_trials(5);
    config.set_population_size(4);
    config.set_crossover_prob(0.9);
    config.set_swapping_prob(0.5);
    config.set_n_ei_candidates(24);
    return *MakeSampler(config, seed);
  }
  // Suggests, and ends the trial with a value.
  std::vector<v1::Param> Next(Sampler& sampler) {
    const StudyView study{"s", {v1::DIRECTION_MINIMIZE}, &trials_};
    TrialView& view = trials_.emplace_back();
    view.set_number(static_cast<int64_t>(trials_.size()) - 1);
    view.set_state(v1::TRIAL_STATE_RUNNING);
    const auto params = Suggest(sampler, study, view.number(), SomeSpace());
    EXPECT_TRUE(params.ok()) << params.status();
    for (const v1::Param& param : *params) {
      view.AddParam(param.name(), param.distribution(),
                    *ToInternal(param.distribution(), param.value()));
    }
    view.set_state(v1::TRIAL_STATE_COMPLETE);
    view.set_values({view.params()[0].value});
    sampler.Observe(study, view.number());
    return *params;
  }
  Trials trials_;
};

TEST_P(SamplerTest, ValuesAreInRangeAndInTheOrderOfTheSpace) {
  auto sampler = Make(1);
  for (int i = 0; i < 60; ++i) {
    const auto params = Next(*sampler);
    ASSERT_EQ(params.size(), 3u);
    EXPECT_EQ(params[0].name(), "z");
    EXPECT_EQ(params[1].value().int_value(), 7);
    EXPECT_GE(params[0].value().float_value(), 1e-5);
    EXPECT_LE(params[0].value().float_value(), 1);
  }
}

TEST_P(SamplerTest, StateGoesOnWhereItWas) {
  auto first = Make(1);
  for (int i = 0; i < 20; ++i) Next(*first);
  auto second = Make(99);
  ASSERT_TRUE(second->Restore(first->State()).ok());
  const Trials history = trials_;
  for (const TrialView& trial : history) {
    second->Observe({"s", {v1::DIRECTION_MINIMIZE}, &history}, trial.number());
  }
  const auto ours = Next(*first);
  trials_ = history;
  const auto theirs = Next(*second);
  EXPECT_EQ(ours[0].DebugString(), theirs[0].DebugString());
}

TEST_P(SamplerTest, AConditionalValueIsDrawnWhereItsConditionHoldsOnly) {
  Space space = SomeSpace();
  space[0].set_name("under_x");
  std::swap(space[0], space[2]);  // What a condition names comes first.
  v1::Condition* when = space[2].add_when();
  when->set_name("a");
  when->add_values()->set_string_value("x");
  v1::SearchParam nested = space[1];
  nested.set_name("under_nothing");
  nested.add_when()->set_name("under_y");
  space.push_back(nested);
  auto sampler = Make(3);
  int with = 0;
  for (int i = 0; i < 40; ++i) {
    const StudyView study{"s", {v1::DIRECTION_MINIMIZE}, &trials_};
    TrialView& view = trials_.emplace_back();
    view.set_number(i);
    const auto params = Suggest(*sampler, study, i, space);
    ASSERT_TRUE(params.ok()) << params.status();
    const bool x = params->front().value().string_value() == "x";
    ASSERT_EQ(params->size(), x ? 3u : 2u);
    EXPECT_EQ(params->back().name(), x ? "under_x" : "fixed");
    with += x;
    for (const v1::Param& param : *params) {
      view.AddParam(param.name(), param.distribution(),
                    *ToInternal(param.distribution(), param.value()));
    }
    view.set_state(v1::TRIAL_STATE_COMPLETE);
    view.set_values({x ? *view.params().Find("under_x") : 2});
    sampler->Observe(study, i);
  }
  EXPECT_GT(with, 5);
  EXPECT_LT(with, 40);
}

TEST_P(SamplerTest, AStateThatIsNoneIsRefused) {
  EXPECT_EQ(Make(1)->Restore("elephant").code(), absl::StatusCode::kDataLoss);
}

TEST_P(SamplerTest, InfiniteValuesDoNotStopIt) {
  auto sampler = Make(1);
  for (int i = 0; i < 30; ++i) {
    Next(*sampler);
    const double value = i % 2 == 0 ? std::numeric_limits<double>::infinity() : 1.0;
    trials_.Edit(trials_.size() - 1).set_values({value});
  }
}

INSTANTIATE_TEST_SUITE_P(All, SamplerTest,
                         ::testing::Values("random", "tpe", "qmc", "nsga2", "nsga3", "cmaes",
                                           "gp"));

TEST(SpaceTest, AnUnknownSamplerIsNamedWithTheKnownOnes) {
  v1::SamplerConfig config;
  config.set_name("oracle");
  EXPECT_NE(MakeSampler(config, 0).status().message().find("tpe, random"), std::string::npos);
}

TEST(SpaceTest, ValuesOutsideTheirRangeAreRefused) {
  v1::ParamValue value;
  value.set_int_value(8);
  EXPECT_EQ(ToInternal(IntRange(1, 7), value).status().code(), absl::StatusCode::kOutOfRange);
  value.set_float_value(1.5);
  EXPECT_FALSE(ToInternal(IntRange(1, 7), value).ok());
  value.set_float_value(NAN);
  EXPECT_FALSE(ToInternal(IntRange(1, 7), value).ok());
}

TEST(SpaceTest, ConstraintsOfBothFormsAreRead) {
  google::protobuf::Map<std::string, std::string> attributes;
  attributes["constraints"] = "[0.5, -Infinity, null, NaN]";
  attributes["constraints:0"] = "-2";
  attributes["constraints:size"] = "1e3";
  attributes["fixed_params"] = "{}";
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ReadConstraints(attributes), (std::vector<double>{-2, -inf, 1000}));
  attributes["constraints"] = "null";
  EXPECT_EQ(ReadConstraints(attributes), (std::vector<double>{-2, 1000}));
}

TEST(SpaceTest, FixedAndSingleValuesDoNotAskTheSampler) {
  v1::SamplerConfig config;
  config.set_name("random");
  auto sampler = *MakeSampler(config, 1);
  const std::string before = sampler->State();
  const Trials none;
  const auto params = Suggest(*sampler, {"s", {v1::DIRECTION_MINIMIZE}, &none}, 0, SomeSpace(),
                              {{"z", 0.5}, {"a", 1}});
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_EQ((*params)[0].value().float_value(), 0.5);
  EXPECT_EQ((*params)[1].value().int_value(), 7);
  EXPECT_EQ((*params)[2].value().string_value(), "y");
  EXPECT_EQ(sampler->State(), before);
}

TEST(SpaceTest, AnIndexThatIsNoChoiceIsRefused) {
  const v1::Distribution distribution = SomeSpace()[2].distribution();
  EXPECT_FALSE(ToExternal(distribution, 2).ok());
  EXPECT_FALSE(ToExternal(distribution, -1).ok());
  EXPECT_FALSE(ToExternal(distribution, NAN).ok());
  EXPECT_EQ(ToExternal(distribution, 1)->string_value(), "y");
}

}  // namespace
}  // namespace vlm::search
