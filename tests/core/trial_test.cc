// Trials in people's hands: enqueue, stop, retry, ask and tell, best.
#include <cmath>

#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class TrialTest : public CoreFixture {
 protected:
  absl::StatusOr<v1::Trial> Enqueue(const std::string& key, double value) {
    v1::EnqueueTrialRequest request;
    request.set_study("a");
    (*request.mutable_params())[key].set_float_value(value);
    auto response = Call<v1::EnqueueTrialResponse>(request);
    if (!response.ok()) return response.status();
    return response->trial();
  }
  absl::StatusOr<v1::Trial> Stop(const std::string& trial) {
    v1::StopTrialRequest request;
    request.set_trial(trial);
    auto response = Call<v1::StopTrialResponse>(request);
    if (!response.ok()) return response.status();
    return response->trial();
  }
  absl::StatusOr<v1::Trial> Retry(const std::string& trial) {
    v1::RetryTrialRequest request;
    request.set_trial(trial);
    auto response = Call<v1::RetryTrialResponse>(request);
    if (!response.ok()) return response.status();
    return response->trial();
  }
  absl::StatusOr<v1::Trial> Ask(const std::string& request_id = "") {
    v1::AskRequest request;
    request.set_study("a");
    request.set_request_id(request_id);
    auto response = Call<v1::AskResponse>(request);
    if (!response.ok()) return response.status();
    return response->trial();
  }
  absl::Status Tell(const v1::Trial& trial, v1::TrialState state, std::vector<double> values) {
    v1::TellRequest request;
    request.set_trial(std::to_string(trial.trial_id()));
    request.set_state(state);
    for (double value : values) request.add_values(value);
    return Call<v1::TellResponse>(request).status();
  }
};

TEST_F(TrialTest, AnEnqueuedTrialRunsFirstWithItsOwnValues) {
  ASSERT_TRUE(Submit("a", Spec(5)).ok());
  ASSERT_TRUE(Enqueue("learning_rate", 0.005).ok());
  const SessionId worker = Attach("w1", 1);
  const auto offers = TakeOffers(worker);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_DOUBLE_EQ(offers[0].config().learning_rate(), 0.005);
  EXPECT_EQ(Trial("a/0").system_attributes().at("fixed_params"), "{\"learning_rate\": 0.005}");
}

TEST_F(TrialTest, ATrialEnqueuedDuringAQuestionKeepsItsValues) {
  answer_questions_ = false;
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(5)).ok());
  ASSERT_EQ(questions_.size(), 1u);
  ASSERT_TRUE(Enqueue("learning_rate", 0.005).ok());

  Suggestion fresh{1, questions_[0].number, std::vector<v1::Param>(1), ""};
  fresh.params->front().set_name("learning_rate");
  fresh.params->front().mutable_value()->set_float_value(0.009);
  Step({fresh});

  EXPECT_DOUBLE_EQ(Trial("a/0").params(0).value().float_value(), 0.005);
}

TEST_F(TrialTest, EnqueueNamesAKeyThatIsNotSearched) {
  ASSERT_TRUE(Submit("a", Spec(5)).ok());
  const auto trial = Enqueue("dropout", 0.1);
  EXPECT_EQ(trial.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(trial.status().message().find("dropout"), std::string::npos);
}

TEST_F(TrialTest, EnqueueRefusesAValueOutsideItsRange) {
  ASSERT_TRUE(Submit("a", Spec(5)).ok());
  EXPECT_EQ(Enqueue("learning_rate", 5).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Enqueue("learning_rate", NAN).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrialTest, StoppingARunningTrialTellsItsWorker) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const v1::Offer offer = AcceptNext("w1");
  Report(Points("w1", offer, 1, 10, 0.5));
  TakeInbox(sessions_["w1"]);
  ASSERT_TRUE(Stop("a/0").ok());
  EXPECT_EQ(TakeInbox(sessions_["w1"]).at(0).command().command().action(),
            v1::Command::ACTION_STOP);
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_STOPPED));
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
}

TEST_F(TrialTest, StoppingAnOfferedTrialEndsItAtOnce) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Stop("a/0").ok());
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_EQ(Trial("a/0").reason(), "stopped");
}

TEST_F(TrialTest, AStoppedTrialThatDiesIsNotRunAgain) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const v1::Offer offer = AcceptNext("w1");
  ASSERT_TRUE(Stop("a/0").ok());
  Report(Failure("w1", offer, 1, v1::FAILURE_CLASS_INFRA));
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
}

TEST_F(TrialTest, StoppingAnEndedTrialIsRefused) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  RunToEnd("w1", 0.5);
  EXPECT_EQ(Stop("a/0").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrialTest, RetryRunsTheSameValuesAsANewTrialBeyondTheBudget) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  RunToEnd("w1", 0.5);
  const auto again = Retry("a/0");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->number(), 1);
  const v1::Offer offer = AcceptNext("w1");
  EXPECT_DOUBLE_EQ(offer.config().learning_rate(), 0.001);
  EXPECT_EQ(Study("a").n_trials(), 2);
}

TEST_F(TrialTest, RetryOfALiveTrialIsRefused) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  EXPECT_EQ(Retry("a/0").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrialTest, NamesOfTrialsThatAreNoneAreExplained) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  EXPECT_EQ(Stop("a/7").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Stop("a/x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Stop("12345").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Stop("").status().code(), absl::StatusCode::kInvalidArgument);
}

// ---- search as a service ----

TEST_F(TrialTest, AskedTrialsAreNotPlacedAndCountTowardsTheBudget) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const auto first = Ask();
  const auto second = Ask();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(Ask().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(TakeOffers(Attach("w1", 1)).empty());

  EXPECT_TRUE(Tell(*first, v1::TRIAL_STATE_COMPLETE, {0.3}).ok());
  EXPECT_TRUE(Tell(*second, v1::TRIAL_STATE_FAIL, {}).ok());

  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_DOUBLE_EQ(Study("a").best_value(), 0.3);
}

TEST_F(TrialTest, AskWithTheSameRequestIdGivesTheSameTrial) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const auto first = Ask("id");
  const auto again = Ask("id");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->trial_id(), again->trial_id());
}

TEST_F(TrialTest, AskGivesAWaitingTrialFirst) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  ASSERT_TRUE(Enqueue("learning_rate", 0.007).ok());
  EXPECT_DOUBLE_EQ(Ask()->params(0).value().float_value(), 0.007);
}

TEST_F(TrialTest, TellRefusesNanAndAWrongNumberOfValues) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const auto trial = Ask();
  EXPECT_EQ(Tell(*trial, v1::TRIAL_STATE_COMPLETE, {NAN}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Tell(*trial, v1::TRIAL_STATE_COMPLETE, {1, 2}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Tell(*trial, v1::TRIAL_STATE_PRUNED, {1, 2}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Tell(*trial, v1::TRIAL_STATE_RUNNING, {1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrialTest, TellRefusesATrialOfAWorker) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  EXPECT_EQ(Tell(Trial("a/0"), v1::TRIAL_STATE_COMPLETE, {1}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrialTest, AToldPrunedTrialGetsItsLastReportAsValue) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  const auto trial = Ask();
  v1::ReportValueRequest report;
  report.set_trial(std::to_string(trial->trial_id()));
  report.set_step(3);
  report.set_value(0.25);
  ASSERT_TRUE(Call<v1::ReportValueResponse>(report).ok());
  ASSERT_TRUE(Tell(*trial, v1::TRIAL_STATE_PRUNED, {}).ok());
  EXPECT_DOUBLE_EQ(Trial("a/0").values(0), 0.25);
}

TEST_F(TrialTest, AskOfAPausedStudyIsRefused) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  v1::UpdateStudyRequest pause;
  pause.set_study("a");
  pause.set_action(v1::UpdateStudyRequest::ACTION_PAUSE);
  ASSERT_TRUE(Call<v1::UpdateStudyResponse>(UpdateCall{pause, {}}).ok());
  EXPECT_EQ(Ask().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrialTest, AnOpenAskIsAnsweredWhenItsStudyIsCancelled) {
  answer_questions_ = false;
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  Step({core::Call{900, [] {
                     v1::AskRequest request;
                     request.set_study("a");
                     return request;
                   }()}});
  v1::UpdateStudyRequest cancel;
  cancel.set_study("a");
  cancel.set_action(v1::UpdateStudyRequest::ACTION_CANCEL);
  ASSERT_TRUE(Call<v1::UpdateStudyResponse>(UpdateCall{cancel, {}}).ok());
  EXPECT_TRUE(core_->state().studies.at(1).asks.empty());
}

TEST_F(TrialTest, BestIsByDirectionAndCarriesTheCheckpoint) {
  Attach("w1", 1);
  v1::StudySpec spec = Spec(3);
  spec.set_directions(0, v1::DIRECTION_MAXIMIZE);
  ASSERT_TRUE(Submit("a", spec).ok());
  for (double value : {0.2, 0.9, 0.5}) RunToEnd("w1", value);
  v1::BestTrialsRequest request;
  request.set_study("a");
  request.set_count(2);
  const auto best = Call<v1::BestTrialsResponse>(request);
  ASSERT_EQ(best->trials_size(), 2);
  EXPECT_EQ(best->trials(0).number(), 1);
  EXPECT_EQ(best->trials(1).number(), 2);
}

TEST_F(TrialTest, BestOfNothingSaysSo) {
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  v1::BestTrialsRequest request;
  EXPECT_EQ(Call<v1::BestTrialsResponse>(request).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrialTest, ASamplerThatFailsFailsTheStudy) {
  answer_questions_ = false;
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  Step({Suggestion{1, 0, absl::InternalError("no idea"), ""}});
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_FAILED);
}

TEST_F(TrialTest, ASamplerWithNothingLeftCompletesTheStudyAfterWhatRuns) {
  answer_questions_ = false;
  Attach("w1", 2);
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  Step({Suggestion{1, 0, std::vector<v1::Param>(), ""}});
  Step({Suggestion{1, 1, absl::OutOfRangeError("all tried"), ""}});
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_ACTIVE);
  RunToEnd("w1", 0.5);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
}

TEST_F(TrialTest, AsksThatWaitTogetherAreOneQuestion) {
  answer_questions_ = false;
  ASSERT_TRUE(Submit("a", Spec(4)).ok());
  v1::AskRequest request;
  request.set_study("a");
  Step({core::Call{101, request}, core::Call{102, request}, core::Call{103, request},
        core::Call{104, request}, core::Call{105, request}});
  ASSERT_EQ(questions_.size(), 1u);
  EXPECT_EQ(questions_[0].count, 1);
  Step({Suggestion{1, 0, std::vector<v1::Param>(), ""}});
  ASSERT_EQ(questions_.size(), 2u);
  EXPECT_EQ(questions_[1].number, 1);
  EXPECT_EQ(questions_[1].count, 3);                  // The budget has no fifth.
  ASSERT_TRUE(Enqueue("learning_rate", 0.005).ok());  // Takes number 1 and the budget's place.
  Step({Suggestion{1, 1, std::vector<v1::Param>(), "", {{}, {}}}});
  EXPECT_EQ(Trial("a/3").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(Study("a").counts().running(), 3);
  EXPECT_EQ(Study("a").counts().waiting(), 1);
  ASSERT_EQ(questions_.size(), 3u);  // For the waiting trial, whose turn it is now.
  EXPECT_EQ(questions_[2].number, 1);
  EXPECT_EQ(questions_[2].count, 0);
}

TEST_F(TrialTest, EnqueuedTrialsDoNotExceedTheBudgetThroughAHeldSuggestion) {
  answer_questions_ = false;
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Enqueue("learning_rate", 0.005).ok());
  answer_questions_ = true;
  Step({Suggestion{1, 0, std::vector<v1::Param>(), ""}});
  RunToEnd("w1", 0.5);
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
}

}  // namespace
}  // namespace vlm::core
