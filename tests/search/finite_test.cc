// Samplers of spaces that have an end, and keys that are fixed.
#include <set>

#include "gtest/gtest.h"
#include "server/search/finite_range.h"
#include "tests/search/golden_file.h"

namespace vlm::search {
namespace {

class FiniteTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Sampler> Make(uint32_t seed) const {
    v1::SamplerConfig config;
    config.set_name(GetParam());
    return *MakeSampler(config, seed);
  }
  // The next trial's values, which stay RUNNING unless `ends`; or why there are none.
  absl::StatusOr<std::vector<double>> Next(Sampler& sampler, bool ends = true) {
    TrialView view;
    view.set_number(static_cast<int64_t>(trials_.size()));
    const auto params = Suggest(sampler, study_, view.number(), GoldenSpace("small"));
    if (!params.ok()) return params.status();
    std::vector<double> values;
    for (const v1::Param& param : *params) {
      values.push_back(*ToInternal(param.distribution(), param.value()));
      view.AddParam(param.name(), param.distribution(), values.back());
    }
    view.set_state(ends ? v1::TRIAL_STATE_COMPLETE : v1::TRIAL_STATE_RUNNING);
    trials_.push_back(view);
    sampler.Observe(study_, view.number());
    return values;
  }
  Trials trials_;
  const StudyView study_{"s", {v1::DIRECTION_MINIMIZE}, &trials_};
};

TEST_P(FiniteTest, TriesEachCombinationOnceAndThenSaysSo) {
  auto sampler = Make(3);
  std::set<std::vector<double>> seen;
  for (int i = 0; i < 48; ++i) seen.insert(*Next(*sampler, i % 5 != 0));
  EXPECT_EQ(seen.size(), 48u);
  EXPECT_EQ(Next(*sampler).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_P(FiniteTest, ARestartGoesOnWhereItWas) {
  auto first = Make(3);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Next(*first).ok());
  auto second = Make(99);
  ASSERT_TRUE(second->Restore(first->State()).ok());
  for (const TrialView& trial : trials_) second->Observe(study_, trial.number());
  const Trials history = trials_;
  const auto ours = Next(*first);
  trials_ = history;
  EXPECT_EQ(*Next(*second), *ours);
}

// Enqueued by a person, or of another sampler: it is told of them as of its own.
TEST_P(FiniteTest, WhatSomebodyElseHasTriedIsNotTriedAgain) {
  auto other = Make(3);
  std::set<std::vector<double>> seen;
  for (int i = 0; i < 10; ++i) seen.insert(*Next(*other));
  auto sampler = Make(4);
  for (const TrialView& trial : trials_) sampler->Observe(study_, trial.number());
  for (int i = 10; i < 48; ++i) EXPECT_TRUE(seen.insert(*Next(*sampler)).second) << i;
  EXPECT_EQ(Next(*sampler).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_P(FiniteTest, ARangeWithoutStepIsRefused) {
  const auto params = Suggest(*Make(0), study_, 0, GoldenSpace("floats"));
  EXPECT_EQ(params.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(params.status().message().find("step"), std::string::npos) << params.status();
}

INSTANTIATE_TEST_SUITE_P(All, FiniteTest, ::testing::Values("grid", "brute_force"));

TEST(FiniteValuesTest, AreCountedInDecimals) {
  const auto values = FiniteValues("x", FloatParam("x", 0.1, 0.7, false, 0.1).distribution());
  EXPECT_EQ(*values, (std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}));
  EXPECT_EQ(FiniteValues("x", FloatParam("x", -1e-3, 1, false, 0.25).distribution())->size(), 5u);
}

TEST(PartialFixedTest, FixedNamesKeepTheirValueAndOthersAreSampled) {
  v1::SamplerConfig config;
  config.set_name("random");
  config.add_fixed()->set_name("kind");
  config.mutable_fixed(0)->mutable_value()->set_int_value(2);
  auto sampler = *MakeSampler(config, 0);
  const Trials none;
  const StudyView study{"s", {v1::DIRECTION_MINIMIZE}, &none};
  std::set<int64_t> layers;
  for (int i = 0; i < 30; ++i) {
    const auto params = *Suggest(*sampler, study, 0, GoldenSpace("small"));
    EXPECT_EQ(params[2].value().int_value(), 2);
    layers.insert(params[0].value().int_value());
  }
  EXPECT_EQ(layers.size(), 4u);
  config.mutable_fixed(0)->mutable_value()->set_int_value(3);
  EXPECT_EQ(Suggest(**MakeSampler(config, 0), study, 0, GoldenSpace("small")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::search
