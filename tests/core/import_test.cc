// Trials from elsewhere: what is taken along, and that a wrong one adds nothing.
#include <cmath>

#include "gmock/gmock.h"
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

using ::testing::HasSubstr;

v1::Trial Ended(double rate, double value, v1::TrialState state = v1::TRIAL_STATE_COMPLETE) {
  v1::Trial trial;
  trial.set_state(state);
  v1::Param& param = *trial.add_params();
  param.set_name("learning_rate");
  param.mutable_value()->set_float_value(rate);
  param.mutable_distribution()->mutable_float_distribution()->set_low(1e-5);
  param.mutable_distribution()->mutable_float_distribution()->set_high(1);
  param.mutable_distribution()->mutable_float_distribution()->set_log(true);
  if (state != v1::TRIAL_STATE_FAIL) trial.add_values(value);
  return trial;
}

class ImportTest : public CoreFixture {
 protected:
  absl::StatusOr<v1::ImportStudyResponse> Import(std::vector<v1::Trial> trials,
                                                 const std::string& study = "old",
                                                 const std::string& id = "") {
    ImportCall call;
    call.header.set_study(study);
    call.header.set_request_id(id);
    call.header.set_append(core_->state().study_names.contains(study));
    call.trials = std::move(trials);
    return Call<v1::ImportStudyResponse>(call);
  }
  // Imports into a study that must not have come to be.
  std::string Refused(v1::Trial trial) {
    const auto refused = Import({Ended(0.1, 1), std::move(trial)}, "refused");
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(core_->state().study_names.contains("refused"));
    return std::string(refused.status().message());
  }
};

TEST_F(ImportTest, ANewStudyHoldsTheEndedTrialsInOrder) {
  v1::Trial waiting;
  waiting.set_state(v1::TRIAL_STATE_WAITING);
  v1::Trial pruned = Ended(0.2, 7, v1::TRIAL_STATE_PRUNED);
  pruned.set_trial_id(99);
  pruned.set_number(41);
  pruned.add_intermediate_values()->set_step(3);
  (*pruned.mutable_user_attributes())["who"] = "\"ann\"";
  const auto response = Import({Ended(0.1, 2), waiting, pruned, Ended(0.3, 1)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->added(), 3);
  EXPECT_EQ(response->left_out(), 1);
  EXPECT_EQ(response->study().best_trial_number(), 2);
  const v1::Trial kept = Trial("old/1");
  EXPECT_EQ(kept.trial_id(), 2);
  EXPECT_EQ(kept.user_attributes().at("who"), "\"ann\"");
  EXPECT_EQ(kept.intermediate_values(0).step(), 3);
  Restart();
  EXPECT_EQ(Study("old").counts().complete(), 2);
  EXPECT_EQ(Trial("old/2").values(0), 1);
}

TEST_F(ImportTest, TrialsOfOthersDoNotEatIntoTheBudget) {
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  std::vector<v1::Trial> trials = {Ended(0.005, 2), Ended(0.002, 3)};
  for (v1::Trial& trial : trials) {  // Ranges as the study's, but for the bounds.
    trial.mutable_params(0)->mutable_distribution()->mutable_float_distribution()->set_log(false);
  }
  ASSERT_TRUE(Import(trials, "a").ok());
  EXPECT_EQ(Study("a").n_trials(), 5);
  EXPECT_EQ(Study("a").best_value(), 2);
}

TEST_F(ImportTest, TheSameRequestImportsOnce) {
  ASSERT_TRUE(Import({Ended(0.1, 2)}, "old", "once").ok());
  const auto again = Import({Ended(0.1, 2)}, "old", "once");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->study().counts().complete(), Study("old").counts().complete());
  EXPECT_EQ(Study("old").counts().complete(), 1);
}

TEST_F(ImportTest, AWrongTrialIsNamedAndAddsNothing) {
  EXPECT_THAT(Refused(Ended(0.1, NAN)), HasSubstr("trial 1 of the import"));
  v1::Trial two = Ended(0.1, 1);
  two.add_values(2);
  EXPECT_THAT(Refused(two), HasSubstr("2 values, the study 1 objectives"));
  v1::Trial linear = Ended(0.1, 1);
  linear.mutable_params(0)->mutable_distribution()->mutable_float_distribution()->set_log(false);
  EXPECT_THAT(Refused(linear), HasSubstr("learning_rate"));
  v1::Trial choice = Ended(0.1, 1);
  choice.mutable_params(0)->mutable_distribution()->mutable_categorical_distribution();
  Refused(choice);
  v1::Trial text = Ended(0.1, 1);
  text.mutable_params(0)->mutable_value()->set_string_value("fast");
  Refused(text);
  v1::Trial steps = Ended(0.1, 1);
  steps.add_intermediate_values()->set_step(4);
  steps.add_intermediate_values()->set_step(4);
  EXPECT_THAT(Refused(steps), HasSubstr("by step"));
  v1::Trial attribute = Ended(0.1, 1);
  (*attribute.mutable_user_attributes())["x"] = "{";
  EXPECT_THAT(Refused(attribute), HasSubstr("attribute x"));
  v1::Trial named = Ended(0.1, 1);
  named.mutable_params(0)->set_name(std::string(600, 'x'));
  Refused(named);
}

TEST_F(ImportTest, TheSearchSpaceOfTheStudyCounts) {
  v1::StudySpec spec = Spec(3);
  ASSERT_TRUE(Submit("a", spec).ok());
  v1::Trial other = Ended(0.1, 1);
  other.mutable_params(0)->mutable_distribution()->mutable_int_distribution()->set_high(9);
  other.mutable_params(0)->mutable_value()->set_int_value(3);
  EXPECT_EQ(Import({other}, "a").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Study("a").n_trials(), 3);
}

TEST_F(ImportTest, NamesMustBeGivenAndFree) {
  EXPECT_EQ(Import({}, "").status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Import({}, "old").ok());
  ImportCall taken;
  taken.header.set_study("old");
  EXPECT_EQ(Call<v1::ImportStudyResponse>(taken).status().code(), absl::StatusCode::kAlreadyExists);
  ImportCall nobody;
  nobody.header.set_study("nobody");
  nobody.header.set_append(true);
  EXPECT_EQ(Call<v1::ImportStudyResponse>(nobody).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vlm::core
