// Leases, lost and returning workers, and a coordinator that was away.
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class LeaseTest : public CoreFixture {
 protected:
  v1::Offer Begin(int n_trials = 1) {
    Attach("w1", 1);
    EXPECT_TRUE(Submit("a", Spec(n_trials)).ok());
    const v1::Offer offer = AcceptNext("w1");
    Report(Points("w1", offer, 1, 10, 0.5));
    return offer;
  }
};

TEST_F(LeaseTest, BeatsKeepAnAttemptAlive) {
  Begin();
  for (int i = 0; i < 60; ++i) {
    Advance(absl::Seconds(1));
    Beat("w1");
  }
  EXPECT_EQ(Trial("a/0").attempts_size(), 1);
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_RUNNING);
}

TEST_F(LeaseTest, ASilentWorkersTrialRunsElsewhereWithinTheLeaseAndASecond) {
  Begin();
  const SessionId other = Attach("w2", 1);
  for (int i = 0; i < 11; ++i) {
    Advance(absl::Seconds(1));
    Beat("w2");
  }
  const auto offers = TakeOffers(other);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].epoch(), 2);
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_LOST);
}

TEST_F(LeaseTest, ASilentWorkerIsLostItself) {
  Begin();
  const SessionId session = sessions_["w1"];
  Advance(absl::Seconds(11));
  EXPECT_EQ(closed_[session].code(), absl::StatusCode::kUnavailable);
  const auto workers = Call<v1::ListWorkersResponse>(v1::ListWorkersRequest());
  EXPECT_EQ(workers->workers(0).state(), v1::WORKER_STATE_LOST);
}

TEST_F(LeaseTest, ALostWorkerIsFencedWhenItComesBack) {
  const v1::Offer offer = Begin();
  Advance(absl::Seconds(11));
  EXPECT_TRUE(Report(Points("w1", offer, 2, 20, 0.4)).fenced());
  const SessionId again = Attach("w1", 1);

  const auto inbox = TakeInbox(again);
  ASSERT_FALSE(inbox.empty());
  ASSERT_EQ(inbox[0].hello_ack().fenced_size(), 1);
  EXPECT_EQ(inbox[0].hello_ack().fenced(0).attempt_id(), offer.attempt_id());
}

TEST_F(LeaseTest, ABrokenStreamIsNoticedAtOnceAndLosesItsTrialsAfterTheGrace) {
  Begin();
  const SessionId other = Attach("w2", 1);
  Detach(sessions_["w1"]);
  Advance(absl::Milliseconds(1900));
  EXPECT_TRUE(TakeOffers(other).empty());

  Advance(absl::Milliseconds(200));

  EXPECT_EQ(TakeOffers(other).size(), 1u);
}

TEST_F(LeaseTest, AWorkerThatDialsInAgainInTimeKeepsItsTrials) {
  const v1::Offer offer = Begin();
  Detach(sessions_["w1"]);
  Advance(absl::Seconds(1));
  Attach("w1", 1);
  Advance(absl::Seconds(5));

  EXPECT_EQ(Report(Points("w1", offer, 2, 20, 0.4)).sequence(), 2);
  EXPECT_EQ(Trial("a/0").attempts_size(), 1);
}

TEST_F(LeaseTest, ASecondAgentWithTheSameIdIsRefused) {
  Begin();
  v1::WorkerMessage message;
  *message.mutable_hello() = MakeHello("w1", 1);
  message.mutable_hello()->set_session_id("another process");
  Send(77, message);
  EXPECT_EQ(closed_[77].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_RUNNING);
}

TEST_F(LeaseTest, ARestartedAgentTakesTheTrialUpAgain) {
  Begin();
  Detach(sessions_["w1"]);
  v1::WorkerMessage message;
  leases_["w1"].clear();
  *message.mutable_hello() = MakeHello("w1", 1);
  message.mutable_hello()->set_session_id("new process");
  Send(77, message);

  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_LOST);
  const auto offers = TakeOffers(77);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].epoch(), 2);
}

TEST_F(LeaseTest, TheFirstMessageMustBeAHello) {
  v1::WorkerMessage message;
  message.mutable_beat();
  Send(99, message);
  EXPECT_EQ(closed_[99].code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LeaseTest, AHelloWithoutSlotsIsRefused) {
  v1::WorkerMessage message;
  message.mutable_hello()->set_worker_id("w");
  Send(99, message);
  EXPECT_EQ(closed_[99].code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LeaseTest, GoodbyePreemptsAtNoCost) {
  const v1::Offer offer = Begin();
  const SessionId other = Attach("w2", 1);
  v1::WorkerMessage message;
  message.mutable_goodbye()->set_reason("maintenance");
  Send(sessions_["w1"], message);

  const auto offers = TakeOffers(other);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].trial_id(), offer.trial_id());
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
}

TEST_F(LeaseTest, NothingIsPlacedOnAWorkerThatIsAboutToLeave) {
  const SessionId one = Attach("w1", 1);
  v1::WorkerMessage message;
  message.mutable_beat()->set_draining(true);
  Send(one, message);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  EXPECT_TRUE(TakeOffers(one).empty());
}

TEST_F(LeaseTest, RefusalOfALeavingWorkerCostsNothing) {
  const SessionId one = Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const auto offers = TakeOffers(one);
  ASSERT_EQ(offers.size(), 1u);
  v1::WorkerMessage message;
  message.mutable_beat()->set_draining(true);
  Send(one, message);
  Refuse(one, offers[0], "the worker is leaving");
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
}

TEST_F(LeaseTest, ALostNodeEndsTheWholeGang) {
  const SessionId one = Attach("w1", 1);
  Attach("w2", 1);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(2);
  ASSERT_TRUE(Submit("gang", spec).ok());
  AcceptNext("w1");
  AcceptNext("w2");
  TakeInbox(one);
  Detach(sessions_["w2"]);
  Advance(absl::Milliseconds(2100));
  const auto inbox = TakeInbox(one);
  ASSERT_FALSE(inbox.empty());
  EXPECT_TRUE(inbox.back().has_fenced());
}

// ---- a coordinator that was away ----

TEST_F(LeaseTest, ARestartedCoordinatorFindsItsLiveAttemptsAgain) {
  const v1::Offer offer = Begin();
  Restart();
  Advance(absl::Seconds(15));
  const SessionId session = Attach("w1", 1);
  EXPECT_EQ(TakeInbox(session).at(0).hello_ack().fenced_size(), 0);

  EXPECT_EQ(Report(Points("w1", offer, 2, 20, 0.4)).sequence(), 2);
  Report(End("w1", offer, 3, v1::ATTEMPT_STATE_SUCCEEDED, 0.4));

  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_EQ(Trial("a/0").attempts_size(), 1);
}

TEST_F(LeaseTest, SpooledBatchesMayComeBeforeTheHello) {
  const v1::Offer offer = Begin();
  Restart();
  EXPECT_EQ(Report(Points("w1", offer, 2, 20, 0.4)).sequence(), 2);
}

TEST_F(LeaseTest, ProgressSurvivesARestart) {
  Begin();
  Restart();
  EXPECT_EQ(Trial("a/0").last_step(), 10);
  EXPECT_EQ(Trial("a/0").total_steps(), 100);
}

TEST_F(LeaseTest, AWorkerThatNeverComesBackIsLostAfterTheRestartGrace) {
  Begin();
  Restart();
  Advance(absl::Seconds(21));
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_LOST);
}

TEST_F(LeaseTest, AnUnansweredOfferIsMadeAgainAfterARestart) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  Restart();
  const auto offers = TakeOffers(Attach("w1", 1));
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].epoch(), 1);
}

TEST_F(LeaseTest, AStartIsRepeatedWithItsRendezvousAfterARestart) {
  Attach("w1", 1);
  Attach("w2", 1);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(2);
  ASSERT_TRUE(Submit("gang", spec).ok());
  Accept(sessions_["w1"], TakeOffers(sessions_["w1"]).at(0), 4711);
  const v1::Offer two = AcceptNext("w2");
  Restart();
  for (const auto& message : TakeInbox(Attach("w2", 1))) {
    if (message.has_start()) {
      EXPECT_EQ(message.start().rendezvous_port(), 4711);
      return;
    }
  }
  FAIL() << "no start for attempt " << two.attempt_id();
}

TEST_F(LeaseTest, AStopOrderIsRepeatedAfterARestart) {
  Begin();
  v1::StopTrialRequest request;
  request.set_trial("a/0");
  ASSERT_TRUE(Call<v1::StopTrialResponse>(request).ok());
  Restart();
  const auto inbox = TakeInbox(Attach("w1", 1));
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_STOP);
}

TEST_F(LeaseTest, ANodesEndSurvivesARestart) {
  Attach("w1", 1);
  Attach("w2", 1);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(2);
  ASSERT_TRUE(Submit("gang", spec).ok());
  const v1::Offer one = AcceptNext("w1");
  const v1::Offer two = AcceptNext("w2");
  Report(End("w1", one, 1, v1::ATTEMPT_STATE_SUCCEEDED, 0.25));
  Restart();
  leases_["w1"].clear();
  Attach("w1", 1);
  Attach("w2", 1);
  Report(End("w2", two, 1, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_EQ(Trial("gang/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_DOUBLE_EQ(Trial("gang/0").values(0), 0.25);
}

}  // namespace
}  // namespace vlm::core
