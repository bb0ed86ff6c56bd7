// Failure classes, retry budgets, backoff, the study's own end, and its budgets.
#include <set>

#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class RetryTest : public CoreFixture {
 protected:
  RetryTest() { Attach("w1", 1); }
  // Fails attempts of one class until no other follows; how many there were.
  int AttemptsUntilGivenUp(v1::FailureClass failure_class) {
    EXPECT_TRUE(Submit("a", Spec(1)).ok());
    v1::Offer offer = TakeOffers(sessions_["w1"]).at(0);
    for (int attempts = 1; attempts < 50; ++attempts) {
      AcceptAs("w1", offer);
      Report(Failure("w1", offer, 1, failure_class));
      if (Trial("a/0").state() == v1::TRIAL_STATE_FAIL) return attempts;
      offer = NextOffer();
    }
    return -1;
  }
  // Lets the backoff pass.
  v1::Offer NextOffer() {
    for (int i = 0; i < 70; ++i) {
      Advance(absl::Seconds(1));
      Beat("w1");
      if (const auto offers = TakeOffers(sessions_["w1"]); !offers.empty()) return offers[0];
    }
    ADD_FAILURE() << "no further offer";
    return {};
  }
  void FailNext(v1::FailureClass failure_class) {
    Report(Failure("w1", AcceptNext("w1"), 1, failure_class));
  }
};

TEST_F(RetryTest, InfrastructureFailuresAreRetriedFiveTimes) {
  EXPECT_EQ(AttemptsUntilGivenUp(v1::FAILURE_CLASS_INFRA), 6);
}
TEST_F(RetryTest, OutOfMemoryIsRetriedOnce) {
  EXPECT_EQ(AttemptsUntilGivenUp(v1::FAILURE_CLASS_OUT_OF_MEMORY), 2);
}
TEST_F(RetryTest, UserErrorsAreNeverRetried) {
  EXPECT_EQ(AttemptsUntilGivenUp(v1::FAILURE_CLASS_USER_ERROR), 1);
}
TEST_F(RetryTest, DivergenceIsNotRetried) {
  EXPECT_EQ(AttemptsUntilGivenUp(v1::FAILURE_CLASS_DIVERGED), 1);
}
TEST_F(RetryTest, UnknownFailuresAreRetriedTwice) {
  EXPECT_EQ(AttemptsUntilGivenUp(v1::FAILURE_CLASS_UNKNOWN), 3);
}

TEST_F(RetryTest, TheDelayDoublesWithEachFailureOfAClassAndIsSpreadOverItsUpperHalf) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  FailNext(v1::FAILURE_CLASS_UNKNOWN);
  Advance(absl::Milliseconds(499));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  Advance(absl::Milliseconds(501));
  FailNext(v1::FAILURE_CLASS_UNKNOWN);
  Advance(absl::Milliseconds(999));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  Advance(absl::Milliseconds(1001));
  EXPECT_EQ(TakeOffers(sessions_["w1"]).size(), 1u);
}

TEST_F(RetryTest, TrialsThatFailTogetherDoNotComeBackTogether) {
  Attach("w2", 40);
  v1::StudySpec spec = Spec(40);
  spec.mutable_retry()->set_halt_after(0);
  ASSERT_TRUE(Submit("a", spec).ok());
  for (const v1::Offer& offer : TakeOffers(sessions_["w2"])) {
    AcceptAs("w2", offer);
    Report(Failure("w2", offer, 1, v1::FAILURE_CLASS_UNKNOWN));
  }
  TakeOffers(sessions_["w2"]);  // Fresh ones, for the slots that became free.
  std::set<int> moments;
  for (int i = 0; i < 20; ++i) {
    Advance(absl::Milliseconds(50));
    if (!TakeOffers(sessions_["w2"]).empty()) moments.insert(i);
  }
  EXPECT_GE(moments.size(), 5u);
}

TEST_F(RetryTest, ATrialAvoidsTheWorkerWhereItFailedForItsFaults) {
  Attach("w2", 1);
  v1::StudySpec spec = Spec(1);
  spec.mutable_retry()->set_exclude_after(2);
  ASSERT_TRUE(Submit("a", spec).ok());
  for (int i = 0; i < 2; ++i) {
    const v1::Offer offer = NextOffer();
    EXPECT_EQ(offer.epoch(), i + 1);
    AcceptAs("w1", offer);
    Report(Failure("w1", offer, 1, v1::FAILURE_CLASS_INFRA));
  }
  Restart();  // It follows from the attempts.
  leases_.clear();
  Attach("w2", 1);  // Alone, w1 would not be avoided.
  Attach("w1", 1);
  Advance(absl::Seconds(3));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  EXPECT_EQ(TakeOffers(sessions_["w2"]).size(), 1u);
}

TEST_F(RetryTest, TheOnlyWorkerIsNotAvoided) {
  v1::StudySpec spec = Spec(1);
  spec.mutable_retry()->set_exclude_after(1);
  ASSERT_TRUE(Submit("a", spec).ok());
  FailNext(v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(NextOffer().epoch(), 2);
}

class LogPolicyTest : public RetryTest {
 protected:
  // Whose first attempt fails with this line in its log.
  void FailWith(const std::string& line, v1::LogPolicy::Action action) {
    v1::StudySpec spec = Spec(1);
    v1::LogPolicy& policy = *spec.mutable_retry()->add_log_policies();
    policy.set_pattern("ECC error on gpu [0-9]+");
    policy.set_action(action);
    ASSERT_TRUE(Submit("a", spec).ok());
    const v1::Offer offer = AcceptNext("w1");
    v1::ReportBatch batch = Points("w1", offer, 1, 5, 0.5);
    batch.mutable_report()->add_log_lines()->set_text(line);
    Report(batch);
    Restart();
    Attach("w1", 1);
    Report(Failure("w1", offer, 2, v1::FAILURE_CLASS_UNKNOWN));
  }
};

TEST_F(LogPolicyTest, AMatchCanEndTheTrial) {
  FailWith("RuntimeError: ECC error on gpu 3 (uncorrectable)", v1::LogPolicy::ACTION_FAIL);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_NE(Trial("a/0").reason().find("ECC error on gpu 3"), std::string::npos);
}

TEST_F(LogPolicyTest, AMatchCanMakeAFailureTheMachines) {
  FailWith("ECC error on gpu 0", v1::LogPolicy::ACTION_INFRA);
  EXPECT_EQ(Trial("a/0").attempts(0).failure_class(), v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(NextOffer().epoch(), 2);
}

TEST_F(LogPolicyTest, AMatchCanKeepTheTrialOffTheWorker) {
  FailWith("ECC error on gpu 0", v1::LogPolicy::ACTION_EXCLUDE_WORKER);
  Attach("w2", 1);
  Advance(absl::Seconds(2));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  EXPECT_EQ(TakeOffers(sessions_["w2"]).size(), 1u);
}

TEST_F(LogPolicyTest, WhatDoesNotMatchChangesNothing) {
  FailWith("ECC error on gpu x", v1::LogPolicy::ACTION_FAIL);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(NextOffer().epoch(), 2);
}

TEST_F(RetryTest, TheEngineIsToldWhenABackoffEnds) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  FailNext(v1::FAILURE_CLASS_UNKNOWN);
  EXPECT_GE(core_->NextDeadline() - clock_.Monotonic(), absl::Milliseconds(500));
  EXPECT_LE(core_->NextDeadline() - clock_.Monotonic(), absl::Seconds(1));
}

TEST_F(RetryTest, ClassesHaveBudgetsOfTheirOwn) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  FailNext(v1::FAILURE_CLASS_OUT_OF_MEMORY);
  Advance(absl::Seconds(1));
  FailNext(v1::FAILURE_CLASS_UNKNOWN);
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeOffers(sessions_["w1"]).size(), 1u);
}

TEST_F(RetryTest, TheBudgetIsRememberedOverARestart) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  FailNext(v1::FAILURE_CLASS_OUT_OF_MEMORY);
  Restart();
  leases_["w1"].clear();
  Attach("w1", 1);
  FailNext(v1::FAILURE_CLASS_OUT_OF_MEMORY);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
}

TEST_F(RetryTest, AStudyStopsItselfWhenItsFirstTrialsFailAlike) {
  v1::StudySpec spec = Spec(10);
  spec.mutable_retry()->set_halt_after(3);
  ASSERT_TRUE(Submit("a", spec).ok());
  for (int i = 0; i < 3; ++i) FailNext(v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_FAILED);
  EXPECT_NE(Study("a").reason().find("USER_ERROR: it broke"), std::string::npos);
}

TEST_F(RetryTest, DifferentFailuresDoNotStopAStudy) {
  v1::StudySpec spec = Spec(10);
  spec.mutable_retry()->set_halt_after(2);
  ASSERT_TRUE(Submit("a", spec).ok());
  FailNext(v1::FAILURE_CLASS_USER_ERROR);
  FailNext(v1::FAILURE_CLASS_DIVERGED);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_ACTIVE);
}

TEST_F(RetryTest, ASuccessAmongTheFirstTrialsKeepsAStudyGoing) {
  v1::StudySpec spec = Spec(10);
  spec.mutable_retry()->set_halt_after(2);
  ASSERT_TRUE(Submit("a", spec).ok());
  RunToEnd("w1", 0.5);
  for (int i = 0; i < 4; ++i) FailNext(v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_ACTIVE);
}

TEST_F(RetryTest, AStudyOfWhichNothingCameThroughHasFailed) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  FailNext(v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_FAILED);
}

TEST_F(RetryTest, AStudyEndsWhenItsTrialsAreUsedUp) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  RunToEnd("w1", 0.5);
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_ACTIVE);
  RunToEnd("w1", 0.4);
  const v1::Study study = Study("a");
  EXPECT_EQ(study.state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_DOUBLE_EQ(study.best_value(), 0.4);
  EXPECT_EQ(study.best_trial_number(), 1);
}

TEST_F(RetryTest, TheTimeoutIsTheWholeStudysAndLetsRunningTrialsEnd) {
  v1::StudySpec spec = Spec(100);
  spec.set_timeout_s(60);
  ASSERT_TRUE(Submit("a", spec).ok());
  const v1::Offer offer = AcceptNext("w1");
  for (int i = 0; i < 61; ++i) {
    Advance(absl::Seconds(1));
    Beat("w1");
  }
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_ACTIVE);
  Report(End("w1", offer, 1, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(Study("a").reason(), "optimization_timeout has passed");
}

TEST_F(RetryTest, TheTimeoutGoesOnWhileTheCoordinatorIsAway) {
  v1::StudySpec spec = Spec(100);
  spec.set_timeout_s(60);
  ASSERT_TRUE(Submit("a", spec).ok());
  RunToEnd("w1", 0.5);
  clock_.Advance(absl::Seconds(120));
  Restart();
  Advance(absl::Seconds(30));
  EXPECT_EQ(Study("a").state(), v1::STUDY_STATE_COMPLETED);
}

}  // namespace
}  // namespace vlm::core
