// Edits of a search space: what Optuna's rule allows, and from when on they count.
#include "gmock/gmock.h"
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class EditTest : public CoreFixture {
 protected:
  // Replaces the range of learning_rate.
  absl::Status Edit(double low, double high, bool log = true) {
    UpdateCall call;
    call.request.set_study("a");
    call.request.add_search_space("learning_rate");
    call.spec = core_->state().studies.at(1).spec;
    auto* range =
        call.spec.mutable_search_space(0)->mutable_distribution()->mutable_float_distribution();
    range->set_low(low);
    range->set_high(high);
    range->set_log(log);
    return Call<v1::UpdateStudyResponse>(call).status();
  }
  v1::FloatDistribution Range() {
    return core_->state().studies.at(1).spec.search_space(0).distribution().float_distribution();
  }
};

TEST_F(EditTest, TheNextSuggestionUsesTheNewRangeAlsoAfterARestart) {
  ASSERT_TRUE(Submit("a", Spec(4)).ok());
  const bool log = Range().log();
  ASSERT_TRUE(Edit(0.5, 0.75, log).ok());
  v1::AskRequest ask;
  ask.set_study("a");
  const auto asked = Call<v1::AskResponse>(ask);
  ASSERT_TRUE(asked.ok()) << asked.status();
  const v1::Param& drawn = asked->trial().params(0);
  EXPECT_EQ(drawn.distribution().float_distribution().low(), 0.5);
  Restart();
  EXPECT_EQ(Range().low(), 0.5);
  EXPECT_EQ(Range().high(), 0.75);
}

TEST_F(EditTest, ASuggestionThatWasBeingMadeCountsForNothing) {
  answer_questions_ = false;
  ASSERT_TRUE(Submit("a", Spec(4)).ok());
  Step({core::Call{900, [] {
                     v1::AskRequest request;
                     request.set_study("a");
                     return request;
                   }()}});
  ASSERT_TRUE(core_->state().studies.at(1).question_open);
  ASSERT_TRUE(Edit(0.5, 0.75, Range().log()).ok());
  EXPECT_TRUE(core_->state().studies.at(1).question_stale);
  Suggestion late{1, 0, std::vector<v1::Param>(1), "state"};
  Step({late});
  EXPECT_TRUE(core_->state().trials.empty());
  EXPECT_FALSE(core_->state().studies.at(1).question_stale);
  EXPECT_TRUE(core_->state().studies.at(1).question_open);  // It was asked again.
}

TEST_F(EditTest, AnotherKindOfRangeIsRefused) {
  ASSERT_TRUE(Submit("a", Spec(4)).ok());
  const auto before = Range();
  EXPECT_EQ(Edit(0.5, 0.75, !before.log()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Range().low(), before.low());
}

TEST_F(EditTest, ACancelledStudyIsNotEdited) {
  ASSERT_TRUE(Submit("a", Spec(4)).ok());
  UpdateCall cancel;
  cancel.request.set_study("a");
  cancel.request.set_action(v1::UpdateStudyRequest::ACTION_CANCEL);
  ASSERT_TRUE(Call<v1::UpdateStudyResponse>(cancel).ok());
  EXPECT_EQ(Edit(0.5, 0.75, Range().log()).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vlm::core
