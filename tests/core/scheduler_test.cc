// Priorities, shares, preemption, elastic trials, and what people do with workers.
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class SchedulerTest : public CoreFixture {
 protected:
  static v1::StudySpec Gang(int ranks, int trials = 1) {
    v1::StudySpec spec = Spec(trials);
    spec.mutable_train()->mutable_resources()->set_world_size(ranks);
    return spec;
  }
  static v1::StudySpec Elastic(std::vector<int> sizes) {
    v1::StudySpec spec = Gang(sizes.back());
    spec.mutable_train()->mutable_resources()->set_min_world_size(sizes.front());
    for (int size : sizes) spec.mutable_train()->mutable_resources()->add_world_sizes(size);
    return spec;
  }
  static v1::StudySpec Prior(v1::StudySpec spec, int priority) {
    spec.set_priority(priority);
    return spec;
  }
  // Accepts the newest offer and reports a first step, so that it is RUNNING.
  v1::Offer Run(const std::string& worker) {
    const v1::Offer offer = AcceptNext(worker);
    Report(Points(worker, offer, 1, 10, 0.5));
    return offer;
  }
  // The newest order to a worker, UNSPECIFIED without one; offers are kept for later.
  v1::Command::Action Order(const std::string& worker) {
    v1::Command::Action action = v1::Command::ACTION_UNSPECIFIED;
    for (const v1::CoordinatorMessage& message : TakeInbox(sessions_[worker])) {
      if (message.has_command()) action = message.command().command().action();
      if (message.has_offer()) offers_.push_back(message.offer());
    }
    return action;
  }
  absl::StatusOr<v1::UpdateWorkerResponse> Update(const std::string& worker,
                                                  v1::UpdateWorkerRequest::Action action) {
    v1::UpdateWorkerRequest request;
    request.set_worker(worker);
    request.set_action(action);
    return Call<v1::UpdateWorkerResponse>(request);
  }
  void Leave(const std::string& worker, const v1::Offer& offer, int64_t sequence = 2) {
    Report(End(worker, offer, sequence, v1::ATTEMPT_STATE_PREEMPTED));
  }

  std::vector<v1::Offer> offers_;
};

TEST_F(SchedulerTest, AHigherPriorityGoesFirst) {
  ASSERT_TRUE(Submit("low", Prior(Spec(2), -1)).ok());
  ASSERT_TRUE(Submit("normal", Spec(1)).ok());
  ASSERT_TRUE(Submit("high", Prior(Spec(1), 5)).ok());
  const auto offers = TakeOffers(Attach("w1", 3));
  ASSERT_EQ(offers.size(), 3u);
  EXPECT_EQ(offers[0].study_name(), "high");
  EXPECT_EQ(offers[1].study_name(), "normal");
  EXPECT_EQ(offers[2].study_name(), "low");
}

TEST_F(SchedulerTest, SharesFollowTheWeightsAndCountSlots) {
  v1::StudySpec heavy = Spec(20);
  heavy.set_weight(3);
  ASSERT_TRUE(Submit("heavy", heavy).ok());
  ASSERT_TRUE(Submit("gangs", Gang(2, 20)).ok());
  int heavy_slots = 0;
  int gang_slots = 0;
  for (const v1::Offer& offer : TakeOffers(Attach("w1", 16))) {
    (offer.study_name() == "heavy" ? heavy_slots : gang_slots) += offer.slots_size();
  }
  EXPECT_EQ(heavy_slots, 12);
  EXPECT_EQ(gang_slots, 4);
}

TEST_F(SchedulerTest, AHigherPriorityTakesTheSlotsOfTheNewestOfTheLowestAtACheckpoint) {
  Attach("w1", 1);
  Attach("w2", 1);
  ASSERT_TRUE(Submit("low", Spec(2)).ok());
  Run("w1");
  const v1::Offer newest = Run("w2");
  ASSERT_TRUE(Submit("high", Prior(Spec(1), 1)).ok());
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_UNSPECIFIED);
  EXPECT_EQ(Order("w2"), v1::Command::ACTION_PREEMPT);
  Leave("w2", newest);
  Order("w2");
  ASSERT_EQ(offers_.size(), 1u);
  EXPECT_EQ(offers_[0].study_name(), "high");
  EXPECT_EQ(Trial("low/1").state(), v1::TRIAL_STATE_RUNNING);  // It waits for its next attempt.
  EXPECT_EQ(Trial("low/1").attempts(0).failure_class(), v1::FAILURE_CLASS_UNSPECIFIED);
}

TEST_F(SchedulerTest, OnlyAsManyLeaveAsAreNeeded) {
  Attach("w1", 2);
  Attach("w2", 1);
  ASSERT_TRUE(Submit("low", Spec(3)).ok());
  for (const char* worker : {"w1", "w2"}) {
    for (const v1::Offer& offer : TakeOffers(sessions_[worker])) {
      AcceptAs(worker, offer);
      Report(Points(worker, offer, 1, 10, 0.5));
    }
  }
  v1::StudySpec high = Prior(Gang(2), 1);
  high.mutable_train()->mutable_resources()->set_max_nodes(1);
  ASSERT_TRUE(Submit("high", high).ok());
  EXPECT_EQ(Order("w2"), v1::Command::ACTION_UNSPECIFIED);  // Its slot would be of no use.
  int orders = 0;
  for (const auto& [id, attempt] : core_->state().live) {
    orders += attempt->command.action() == v1::Command::ACTION_PREEMPT ? 1 : 0;
  }
  EXPECT_EQ(orders, 2);
}

TEST_F(SchedulerTest, TheSlotsThatWereMadeFreeGoToWhoThatWasFor) {
  Attach("w1", 1);
  Attach("w2", 1);
  ASSERT_TRUE(Submit("low", Spec(9)).ok());
  const v1::Offer one = Run("w1");
  const v1::Offer two = Run("w2");
  ASSERT_TRUE(Submit("high", Prior(Gang(2), 1)).ok());
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_PREEMPT);
  EXPECT_EQ(Order("w2"), v1::Command::ACTION_PREEMPT);
  Leave("w1", one);
  Order("w1");
  EXPECT_TRUE(offers_.empty());  // Not back to the lower one meanwhile.
  Leave("w2", two);
  Order("w1");
  Order("w2");
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[0].study_name(), "high");
}

TEST_F(SchedulerTest, NothingLeavesForWhatWouldNotFitAnyway) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("low", Spec(1)).ok());
  Run("w1");
  Attach("w2", 1);
  ASSERT_TRUE(Submit("high", Prior(Gang(2), 1)).ok());
  Order("w1");
  Detach(sessions_["w2"]);
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_UNSPECIFIED);
}

TEST_F(SchedulerTest, AGangThatHasWaitedLongGetsTheNextSlots) {
  options_.gang_patience = absl::Seconds(30);
  Start();
  Attach("w1", 1);
  Attach("w2", 1);
  ASSERT_TRUE(Submit("small", Spec(50)).ok());
  v1::Offer one = Run("w1");
  v1::Offer two = Run("w2");
  ASSERT_TRUE(Submit("gang", Gang(2)).ok());
  EXPECT_EQ(Study("gang").reason(), "waits for slots: needs 2, 0 of 2 are free");
  for (int i = 0; i < 40; ++i) {
    Advance(absl::Seconds(1));
    Beat("w1");
    Beat("w2");
  }
  TakeOffers(sessions_["w1"]);
  Report(End("w1", one, 2, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());  // Kept for the gang.
  Report(End("w2", two, 2, v1::ATTEMPT_STATE_SUCCEEDED));
  const auto offers = TakeOffers(sessions_["w1"]);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].study_name(), "gang");
}

TEST_F(SchedulerTest, TheReasonNamesTheLargestWorkerWhereOneMustHoldAll) {
  Attach("w1", 4);
  ASSERT_TRUE(Submit("small", Spec(2)).ok());
  v1::StudySpec spec = Gang(4);
  spec.mutable_train()->mutable_resources()->set_max_nodes(1);
  ASSERT_TRUE(Submit("gang", spec).ok());
  EXPECT_EQ(Study("gang").reason(), "waits for slots: needs 4 of one worker, the most free are 2");
}

TEST_F(SchedulerTest, WhatNoWorkerCouldHoldIsRefused) {
  Attach("w1", 2);
  Attach("w2", 2);
  v1::StudySpec spec = Gang(4);
  spec.mutable_train()->mutable_resources()->set_max_nodes(1);
  const absl::Status refused = Submit("gang", spec).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("at most 1 worker"), std::string::npos) << refused;
}

TEST_F(SchedulerTest, AnElasticTrialStartsWithWhatThereIsAndGrowsAtACheckpoint) {
  Attach("w1", 2);
  ASSERT_TRUE(Submit("a", Elastic({1, 2, 4})).ok());
  const v1::Offer small = Run("w1");
  EXPECT_EQ(small.world_size(), 2);
  Attach("w2", 2);
  Advance(absl::Seconds(9));
  Beat("w1");
  Beat("w2");
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_UNSPECIFIED);  // It has only just begun.
  for (int i = 0; i < 60; ++i) {
    Advance(absl::Seconds(1));
    Beat("w1");
    Beat("w2");
  }
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_PREEMPT);
  Leave("w1", small);
  Order("w1");
  ASSERT_EQ(offers_.size(), 1u);
  EXPECT_EQ(offers_[0].world_size(), 4);
  EXPECT_EQ(offers_[0].epoch(), 2);
}

TEST_F(SchedulerTest, AnElasticTrialGoesOnWithFewerWhenAWorkerIsLost) {
  Attach("w1", 2);
  Attach("w2", 2);
  ASSERT_TRUE(Submit("a", Elastic({2, 4})).ok());
  EXPECT_EQ(AcceptNext("w1").world_size(), 4);
  AcceptNext("w2");
  Detach(sessions_["w2"]);
  Advance(options_.reconnect_grace);
  const auto offers = TakeOffers(sessions_["w1"]);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].world_size(), 2);
}

TEST_F(SchedulerTest, NobodyGrowsWhileAnotherWaits) {
  options_.elastic_patience = absl::ZeroDuration();
  Start();
  Attach("w1", 2);
  ASSERT_TRUE(Submit("a", Elastic({1, 2})).ok());
  const v1::Offer offer = AcceptNext("w1");
  EXPECT_EQ(offer.world_size(), 2);
  v1::StudySpec gang = Gang(2);
  ASSERT_TRUE(Submit("gang", gang).ok());
  Report(Points("w1", offer, 1, 10, 0.5));
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_UNSPECIFIED);
}

TEST_F(SchedulerTest, ACordonedWorkerTakesNothingNewAlsoAfterARestart) {
  Attach("w1", 2);
  ASSERT_TRUE(Submit("a", Spec(5)).ok());
  EXPECT_EQ(TakeOffers(sessions_["w1"]).size(), 2u);
  ASSERT_TRUE(Update("w1", v1::UpdateWorkerRequest::ACTION_CORDON).ok());
  Restart();
  leases_.clear();
  TakeInbox(Attach("w1", 3));
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
  ASSERT_TRUE(Update("w1", v1::UpdateWorkerRequest::ACTION_UNCORDON).ok());
  EXPECT_EQ(TakeOffers(sessions_["w1"]).size(), 1u);
}

TEST_F(SchedulerTest, WithEveryWorkerCordonedTheReasonSaysSo) {
  Attach("w1", 1);
  ASSERT_TRUE(Update("w1", v1::UpdateWorkerRequest::ACTION_CORDON).ok());
  ASSERT_TRUE(Submit("a", Gang(1)).ok());
  EXPECT_EQ(Study("a").reason(), "every attached worker is cordoned");
}

TEST_F(SchedulerTest, DrainMovesWhatRunsAtACheckpoint) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const v1::Offer offer = Run("w1");
  Attach("w2", 1);
  const auto drained = Update("w1", v1::UpdateWorkerRequest::ACTION_DRAIN);
  ASSERT_TRUE(drained.ok());
  ASSERT_EQ(drained->attempt_ids_size(), 1);
  EXPECT_TRUE(drained->worker().cordoned());
  EXPECT_EQ(Order("w1"), v1::Command::ACTION_PREEMPT);
  Leave("w1", offer);
  EXPECT_EQ(TakeOffers(sessions_["w2"]).size(), 1u);
  EXPECT_TRUE(TakeOffers(sessions_["w1"]).empty());
}

TEST_F(SchedulerTest, EvictEndsWhatRunsAtOnce) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  Run("w1");
  Attach("w2", 1);
  ASSERT_TRUE(Update("w1", v1::UpdateWorkerRequest::ACTION_EVICT).ok());
  EXPECT_EQ(TakeOffers(sessions_["w2"]).size(), 1u);
  bool fenced = false;
  for (const auto& message : TakeInbox(sessions_["w1"])) fenced = fenced || message.has_fenced();
  EXPECT_TRUE(fenced);
}

TEST_F(SchedulerTest, EvictForgetsAWorkerThatIsGone) {
  Detach(Attach("w1", 1));
  ASSERT_TRUE(Update("w1", v1::UpdateWorkerRequest::ACTION_EVICT).ok());
  EXPECT_EQ(Update("w1", v1::UpdateWorkerRequest::ACTION_CORDON).status().code(),
            absl::StatusCode::kNotFound);
  Restart();
  EXPECT_TRUE(core_->state().workers.empty());
}

TEST_F(SchedulerTest, PriorityAndWeightAreEditedWithinBounds) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  UpdateCall call;
  call.request.set_study("a");
  call.request.set_priority(101);
  EXPECT_EQ(Call<v1::UpdateStudyResponse>(call).status().code(),
            absl::StatusCode::kInvalidArgument);
  call.request.set_priority(7);
  call.request.set_weight(-1);
  EXPECT_EQ(Call<v1::UpdateStudyResponse>(call).status().code(),
            absl::StatusCode::kInvalidArgument);
  call.request.set_weight(2.5);
  ASSERT_TRUE(Call<v1::UpdateStudyResponse>(call).ok());
  EXPECT_EQ(Study("a").priority(), 7);
  EXPECT_EQ(Study("a").weight(), 2.5);
}

}  // namespace
}  // namespace vlm::core
