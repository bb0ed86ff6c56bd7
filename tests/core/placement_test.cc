// Who gets which slots: parallelism, turns, gangs, and the way from an offer to a start.
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class PlacementTest : public CoreFixture {
 protected:
  static v1::StudySpec Gang(int world_size, int slots_per_node = 0) {
    v1::StudySpec spec = Spec(1);
    spec.mutable_train()->mutable_resources()->set_world_size(world_size);
    spec.mutable_train()->mutable_resources()->set_slots_per_node(slots_per_node);
    return spec;
  }
};

TEST_F(PlacementTest, AnOfferCarriesTheTrialsOwnParameters) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const auto offers = TakeOffers(sessions_["w1"]);

  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].epoch(), 1);
  EXPECT_DOUBLE_EQ(offers[0].config().learning_rate(), 0.001);
  EXPECT_EQ(offers[0].study_name(), "a");
}

TEST_F(PlacementTest, TrialAttemptAndStudyAreStoredInTheCommitOfTheGrant) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const Snapshot snapshot = store_.Load();

  ASSERT_EQ(snapshot.trials.size(), 1u);
  EXPECT_EQ(snapshot.trials[0].state(), v1::TRIAL_STATE_RUNNING);
  ASSERT_EQ(snapshot.attempts.size(), 1u);
  EXPECT_EQ(snapshot.attempts[0].attempt.state(), v1::ATTEMPT_STATE_OFFERED);
}

TEST_F(PlacementTest, FillsFreeSlotsUpToTheParallelism) {
  const SessionId worker = Attach("w1", 4);
  v1::StudySpec spec = Spec(10);
  spec.set_parallelism(3);
  ASSERT_TRUE(Submit("a", spec).ok());

  EXPECT_EQ(TakeOffers(worker).size(), 3u);
}

TEST_F(PlacementTest, StudiesTakeTurns) {
  ASSERT_TRUE(Submit("a", Spec(10)).ok());
  ASSERT_TRUE(Submit("b", Spec(10)).ok());
  const SessionId worker = Attach("w1", 4);
  int of_a = 0;
  const auto offers = TakeOffers(worker);
  for (const v1::Offer& offer : offers) of_a += offer.study_name() == "a";

  EXPECT_EQ(offers.size(), 4u);
  EXPECT_EQ(of_a, 2);
}

TEST_F(PlacementTest, AGangIsPlacedWholeOrNotAtAll) {
  const SessionId worker = Attach("w1", 2);
  ASSERT_TRUE(Submit("small", Spec(1)).ok());
  ASSERT_EQ(TakeOffers(worker).size(), 1u);
  ASSERT_TRUE(Submit("gang", Gang(2)).ok());

  EXPECT_TRUE(TakeOffers(worker).empty());
  EXPECT_EQ(Study("gang").reason(), "waits for slots: needs 2, 1 of 2 are free");
}

TEST_F(PlacementTest, AGangSpansWorkersAndStartsWhenAllHaveAccepted) {
  const SessionId one = Attach("w1", 2);
  const SessionId two = Attach("w2", 2);
  ASSERT_TRUE(Submit("gang", Gang(4)).ok());
  const v1::Offer first = TakeOffers(one).at(0);
  const v1::Offer second = TakeOffers(two).at(0);
  ASSERT_EQ(first.ranks_size() + second.ranks_size(), 4);

  Accept(one, first, 4711);
  EXPECT_TRUE(TakeInbox(one).empty());
  Accept(two, second);

  const auto start = TakeInbox(two);
  ASSERT_EQ(start.size(), 1u);
  EXPECT_EQ(start[0].start().rendezvous_host(), "10.0.0.1");
  EXPECT_EQ(start[0].start().rendezvous_port(), 4711);
  EXPECT_TRUE(TakeInbox(one).at(0).has_start());
}

TEST_F(PlacementTest, SlotsPerNodeSpreadsAGang) {
  const SessionId one = Attach("w1", 4);
  const SessionId two = Attach("w2", 4);
  ASSERT_TRUE(Submit("gang", Gang(2, 1)).ok());
  EXPECT_EQ(TakeOffers(one).at(0).ranks_size(), 1);
  EXPECT_EQ(TakeOffers(two).at(0).ranks_size(), 1);
}

TEST_F(PlacementTest, AGangPrefersTheOneWorkerThatJustFits) {
  Attach("big", 8);
  const SessionId fitting = Attach("fitting", 2);
  ASSERT_TRUE(Submit("gang", Gang(2)).ok());
  EXPECT_EQ(TakeOffers(fitting).at(0).ranks_size(), 2);
}

TEST_F(PlacementTest, ARefusalEndsTheAttemptAndTheTrialRunsAgainLater) {
  const SessionId worker = Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  Refuse(worker, TakeOffers(worker).at(0), "no disk space");
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_TRUE(TakeOffers(worker).empty());

  Advance(absl::Seconds(1));

  const auto offers = TakeOffers(worker);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].epoch(), 2);
}

TEST_F(PlacementTest, ARefusalByOneWorkerFencesTheOthersOfTheGang) {
  const SessionId one = Attach("w1", 1);
  const SessionId two = Attach("w2", 1);
  ASSERT_TRUE(Submit("gang", Gang(2)).ok());
  Accept(one, TakeOffers(one).at(0), 1);
  Refuse(two, TakeOffers(two).at(0), "busy");
  EXPECT_TRUE(TakeInbox(one).at(0).has_fenced());
}

TEST_F(PlacementTest, AWorkerOutsideTheGangCannotAnswerForIt) {
  const SessionId one = Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const SessionId stranger = Attach("w2", 1);
  const v1::Offer offer = TakeOffers(one).at(0);
  Refuse(stranger, offer, "not mine");
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_OFFERED);
}

TEST_F(PlacementTest, AStudyWithoutTuningRunsOneTrial) {
  const SessionId worker = Attach("w1", 4);
  v1::StudySpec spec = Spec(1);
  spec.clear_search_space();
  ASSERT_TRUE(Submit("a", spec).ok());
  EXPECT_EQ(TakeOffers(worker).size(), 1u);
}

TEST_F(PlacementTest, CudaStudiesGoToGpuSlotsOnly) {
  const SessionId worker = Attach("w1", 2);
  ASSERT_TRUE(Submit("cpu", Spec(1)).ok());
  TakeOffers(worker);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_device(v1::DEVICE_KIND_CUDA);
  spec.mutable_train()->set_cuda_enabled(true);
  EXPECT_EQ(Submit("gpu", spec).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vlm::core
