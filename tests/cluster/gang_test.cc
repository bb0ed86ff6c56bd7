// Attempts of several ranks over several workers.
#include <signal.h>

#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class GangTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    StartWorker("a", 1);
    StartWorker("b", 1);
  }
  // A study whose only trial has two ranks; they fit on two workers only.
  void SubmitGang(const std::string& plan) { Submit(plan, 1, {"resources.world_size=2"}); }
};

TEST_F(GangTest, RanksOnTwoWorkersMeetAndComplete) {
  SubmitGang("steps=50,sleep_ms=2");
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Steps(0), ElementsAreArray(UpTo(50)));
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts(0).placements_size(), 2);
  EXPECT_NE(trial.attempts(0).placements(0).worker_id(),
            trial.attempts(0).placements(1).worker_id());
}

TEST_F(GangTest, DeathOfOneRankEndsTheAttemptAndItsPeers) {
  SubmitGang("steps=60,sleep_ms=5,at=10,do=signal11,rank=1,attempt=1");
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(trial.attempts(1).state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return TrainerPids().size() == 2; }));
}

TEST_F(GangTest, RankStuckInACollectiveIsKilledAfterItsPeerCrashed) {
  KillWorker("a");
  KillWorker("b");
  StartWorker("c", 2);  // Both ranks on one worker: its agent sees to the peer.
  SubmitGang("steps=60,sleep_ms=5,at=10,do=signal6,rank=0,attempt=1,stuck=1");
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(GetTrial(0).attempts(0).reason(),
              HasSubstr("rank 0: crashed with signal 6 (SIGABRT)"));
  EXPECT_THAT(workers_["c"]->Stderr(), HasSubstr("rank does not end; killing it"));
}

TEST_F(GangTest, LossOfOneWorkerKillsTheRanksOfTheOther) {
  SubmitGang("steps=500,sleep_ms=10");
  ASSERT_TRUE(WaitForStep(0, 5));
  KillWorker("b");
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
    return GetTrial(0).attempts(0).state() >= v1::ATTEMPT_STATE_FAILED;
  }));
  // The spare of worker a is all that is left.
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return TrainerPids().size() == 1; }));
}

TEST_F(GangTest, StopReachesEveryRank) {
  SubmitGang("steps=100000,sleep_ms=5");
  ASSERT_TRUE(WaitForStep(0, 5));
  StopTrial(0);
  EXPECT_TRUE(
      Eventually(absl::Seconds(10), [&] { return GetTrial(0).state() == v1::TRIAL_STATE_FAIL; }));
  EXPECT_EQ(GetTrial(0).attempts(0).state(), v1::ATTEMPT_STATE_STOPPED);
}

}  // namespace
}  // namespace vlm::testing
