// What people do with studies: submit, edit, pause, cancel, delete, and look.
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class SubmitTest : public CoreFixture {
 protected:
  absl::StatusOr<v1::Study> Update(const std::string& study, v1::UpdateStudyRequest::Action action,
                                   int n_trials = 0) {
    v1::UpdateStudyRequest request;
    request.set_study(study);
    request.set_action(action);
    if (n_trials > 0) request.set_n_trials(n_trials);
    auto response = Call<v1::UpdateStudyResponse>(UpdateCall{request, {}});
    if (!response.ok()) return response.status();
    return response->study();
  }
  absl::StatusOr<v1::SubmitResponse> SubmitWith(const v1::SubmitRequest& request) {
    SubmitCall call;
    call.request = request;
    call.spec = Spec(3);
    return Call<v1::SubmitResponse>(call);
  }
};

TEST_F(SubmitTest, MakesAnActiveStudyAndStoresIt) {
  const auto study = Submit("a", Spec(3));

  ASSERT_TRUE(study.ok()) << study.status();
  EXPECT_EQ(study->state(), v1::STUDY_STATE_ACTIVE);
  EXPECT_EQ(study->n_trials(), 3);
  ASSERT_EQ(store_.Load().studies.size(), 1u);
  EXPECT_EQ(store_.Load().studies[0].study.name(), "a");
}

TEST_F(SubmitTest, RefusesATakenName) {
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  EXPECT_EQ(Submit("a", Spec(3)).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SubmitTest, IfNotExistsReturnsTheStudyThatIsThere) {
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  v1::SubmitRequest request;
  request.set_name("a");
  request.set_if_not_exists(true);

  const auto again = SubmitWith(request);

  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->existed());
  EXPECT_EQ(store_.Load().studies.size(), 1u);
}

TEST_F(SubmitTest, TheSameRequestIdGivesTheFirstAnswerAgain) {
  v1::SubmitRequest request;
  request.set_name("a");
  request.set_request_id("id-1");
  const auto first = SubmitWith(request);
  const auto second = SubmitWith(request);

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->study().study_id(), second->study().study_id());
  EXPECT_FALSE(second->existed());
}

TEST_F(SubmitTest, ARequestIdOutlivesARestart) {
  v1::SubmitRequest request;
  request.set_name("a");
  request.set_request_id("id-1");
  const auto first = SubmitWith(request);
  Restart();
  const auto second = SubmitWith(request);

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->study().study_id(), second->study().study_id());
}

TEST_F(SubmitTest, ARequestIdOfAnotherMethodIsRefused) {
  v1::SubmitRequest submit;
  submit.set_name("a");
  submit.set_request_id("id-1");
  ASSERT_TRUE(SubmitWith(submit).ok());
  v1::UpdateStudyRequest update;
  update.set_request_id("id-1");
  update.set_study("a");

  EXPECT_EQ(Call<v1::UpdateStudyResponse>(UpdateCall{update, {}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SubmitTest, MakesUpANameFromTheFile) {
  v1::SubmitRequest request;
  request.set_config_path("/home/ann/demo.yaml");
  EXPECT_EQ(SubmitWith(request)->study().name(), "demo");
  EXPECT_EQ(SubmitWith(request)->study().name(), "demo-2");
}

TEST_F(SubmitTest, DryRunCreatesNothing) {
  v1::SubmitRequest request;
  request.set_name("a");
  request.set_dry_run(true);

  ASSERT_TRUE(SubmitWith(request).ok());

  EXPECT_TRUE(store_.Load().studies.empty());
  EXPECT_TRUE(Submit("a", Spec(3)).ok());
}

TEST_F(SubmitTest, RefusesWhatTheAttachedWorkersCouldNeverRun) {
  Attach("w1", 2);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(4);
  const auto study = Submit("a", spec);

  EXPECT_EQ(study.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(study.status().message().find("2 usable slots"), std::string::npos);
}

TEST_F(SubmitTest, WithoutWorkersAGangStudyWaits) {
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(4);
  ASSERT_TRUE(Submit("a", spec).ok());
  EXPECT_EQ(Study("a").reason(), "no worker is attached");
}

TEST_F(SubmitTest, RefusesANameWithControlCharacters) {
  EXPECT_EQ(Submit("a\nb", Spec(1)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SubmitTest, FindsAStudyByNumberAndByUniquePrefix) {
  ASSERT_TRUE(Submit("alpha", Spec(1)).ok());
  ASSERT_TRUE(Submit("beta", Spec(1)).ok());
  EXPECT_EQ(Study("1").name(), "alpha");
  EXPECT_EQ(Study("be").name(), "beta");
}

TEST_F(SubmitTest, APrefixOfSeveralNamesListsThem) {
  ASSERT_TRUE(Submit("run-1", Spec(1)).ok());
  ASSERT_TRUE(Submit("run-2", Spec(1)).ok());
  v1::GetStudyRequest request;
  request.set_study("run");
  const auto response = Call<v1::GetStudyResponse>(request);

  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(response.status().message().find("run-1, run-2"), std::string::npos);
}

TEST_F(SubmitTest, AnEmptyNameNeverChangesAnything) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  EXPECT_EQ(Call<v1::DeleteStudyResponse>(v1::DeleteStudyRequest()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SubmitTest, APausedStudyGrantsNothingUntilItIsResumed) {
  const SessionId worker = Attach("w1", 1);
  v1::SubmitRequest request;
  request.set_name("a");
  request.set_paused(true);
  ASSERT_TRUE(SubmitWith(request).ok());
  EXPECT_TRUE(TakeOffers(worker).empty());

  ASSERT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_RESUME).ok());

  EXPECT_EQ(TakeOffers(worker).size(), 1u);
}

TEST_F(SubmitTest, PausingLetsRunningTrialsGoOn) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const v1::Offer offer = AcceptNext("w1");
  ASSERT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_PAUSE).ok());

  Report(Points("w1", offer, 1, 10, 0.5));
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED));

  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
}

TEST_F(SubmitTest, CancelStopsLiveAttemptsAndEndsTheTrials) {
  const SessionId worker = Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const v1::Offer offer = AcceptNext("w1");
  TakeInbox(worker);

  ASSERT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_CANCEL).ok());
  const auto inbox = TakeInbox(worker);
  ASSERT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_STOP);
  Report(End("w1", offer, 1, v1::ATTEMPT_STATE_STOPPED));

  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_CANCELLED);
}

TEST_F(SubmitTest, CancellingTwiceIsHarmlessAndResumingIsRefused) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  ASSERT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_CANCEL).ok());
  EXPECT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_CANCEL).ok());
  EXPECT_EQ(Update("a", v1::UpdateStudyRequest::ACTION_RESUME).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(SubmitTest, ARefusedActionChangesNoBudget) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  ASSERT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_CANCEL).ok());
  EXPECT_FALSE(Update("a", v1::UpdateStudyRequest::ACTION_RESUME, 99).ok());
  EXPECT_EQ(Study("a").n_trials(), 2);
}

TEST_F(SubmitTest, ABudgetBelowWhatIsUsedIsRefused) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  RunToEnd("w1", 0.5);
  RunToEnd("w1", 0.4);
  EXPECT_EQ(Update("a", v1::UpdateStudyRequest::ACTION_UNSPECIFIED, 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SubmitTest, RaisingTheBudgetResumesACompletedStudy) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  RunToEnd("w1", 0.5);
  ASSERT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_FALSE(Update("a", v1::UpdateStudyRequest::ACTION_RESUME).ok());

  EXPECT_TRUE(Update("a", v1::UpdateStudyRequest::ACTION_RESUME, 2).ok());

  EXPECT_EQ(TakeOffers(sessions_["w1"]).size(), 1u);
}

TEST_F(SubmitTest, AStudyWithLiveAttemptsIsDeletedOnlyOnDemand) {
  const SessionId worker = Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  AcceptNext("w1");
  v1::DeleteStudyRequest request;
  request.set_study("a");
  EXPECT_EQ(Call<v1::DeleteStudyResponse>(request).status().code(),
            absl::StatusCode::kFailedPrecondition);

  request.set_cancel(true);
  TakeInbox(worker);
  ASSERT_TRUE(Call<v1::DeleteStudyResponse>(request).ok());

  EXPECT_TRUE(TakeInbox(worker).back().has_fenced());
  EXPECT_TRUE(store_.Load().trials.empty());
}

TEST_F(SubmitTest, IdsAreNotUsedAgainAfterADeletionAndARestart) {
  const auto first = Submit("a", Spec(1));
  v1::DeleteStudyRequest request;
  request.set_study("a");
  ASSERT_TRUE(Call<v1::DeleteStudyResponse>(request).ok());
  Restart();
  const auto second = Submit("b", Spec(1));

  EXPECT_GT(second->study_id(), first->study_id());
}

TEST_F(SubmitTest, ListsStudiesNewestFirstInPages) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(Submit(name, Spec(1)).ok());
  v1::ListStudiesRequest request;
  request.set_page_size(2);
  const auto first = Call<v1::ListStudiesResponse>(request);
  request.set_page_token(first->next_page_token());
  const auto second = Call<v1::ListStudiesResponse>(request);

  ASSERT_EQ(first->studies_size(), 2);
  EXPECT_EQ(first->studies(0).name(), "c");
  ASSERT_EQ(second->studies_size(), 1);
  EXPECT_EQ(second->studies(0).name(), "a");
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(SubmitTest, APageTokenThatIsNoneIsRefused) {
  v1::ListStudiesRequest request;
  request.set_page_token("elephant");
  EXPECT_EQ(Call<v1::ListStudiesResponse>(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::core
