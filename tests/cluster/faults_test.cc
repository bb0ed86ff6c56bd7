// Workers and coordinators killed with -9 in the middle of the work.
#include <signal.h>

#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Property;

class FaultsTest : public ClusterTest {};

TEST_F(FaultsTest, WorkerKilledInMidTrainingTrialRunsAgainAsAttemptTwo) {
  StartWorker("a", 1);
  Submit("steps=100,sleep_ms=10", 1);
  ASSERT_TRUE(WaitForStep(0, 10));

  KillWorker("a");
  EXPECT_TRUE(Eventually(absl::Seconds(2), [&] { return TrainerPids().empty(); }));
  StartWorker("a", 1);

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).failure_class(), v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(trial.attempts(1).state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(Steps(0), IsSupersetOf(UpTo(100)));
}

TEST_F(FaultsTest, AttemptAfterALostWorkerGoesOnFromTheNewestCheckpoint) {
  StartWorker("a", 1);
  Submit("steps=100,sleep_ms=10,ckpt_every=10", 1);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return !Checkpoints(0).empty(); }));

  KillWorker("a");
  StartWorker("b", 1);

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Logs(0), Contains(Property(&v1::LogLine::text, HasSubstr("resumed at step "))));
  EXPECT_THAT(GetTrial(0).attempts(1).resumed_from(), HasSubstr("ckpt-"));
}

TEST_F(FaultsTest, CoordinatorKilledAndRestartedLosesNoPointAndStopsNoTrainer) {
  StartWorker("a", 2);
  Submit("steps=150,sleep_ms=10", 2);
  ASSERT_TRUE(WaitForStep(0, 10) && WaitForStep(1, 10));
  const std::vector<pid_t> before = TrainerPids();

  KillCoordinator();
  StartCoordinator();
  EXPECT_TRUE(WaitForStep(0, 60));
  EXPECT_THAT(TrainerPids(), ElementsAreArray(before));

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Steps(0), ElementsAreArray(UpTo(150)));
  EXPECT_THAT(Steps(1), ElementsAreArray(UpTo(150)));
  EXPECT_EQ(GetTrial(0).attempts_size(), 1);
}

TEST_F(FaultsTest, TrialThatEndsWhileTheCoordinatorIsAwayIsCompleteAfterwards) {
  StartWorker("a", 1);
  Submit("steps=60,sleep_ms=10,ckpt_every=50", 1);
  ASSERT_TRUE(WaitForStep(0, 5));

  KillCoordinator();
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] {
    return workers_["a"]->Stderr().find("ATTEMPT_STATE_SUCCEEDED") != std::string::npos;
  }));
  StartCoordinator();

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Steps(0), ElementsAreArray(UpTo(60)));
  EXPECT_EQ(GetTrial(0).attempts_size(), 1);
  EXPECT_EQ(GetTrial(0).checkpoint().uri(), "coordinator:ckpt-1-50");
}

TEST_F(FaultsTest, CoordinatorKilledAgainAndAgainEveryPointIsStoredOnce) {
  StartWorker("a", 1);
  Submit("steps=300,sleep_ms=10", 1);
  for (int64_t step : {20, 80, 140, 200}) {
    ASSERT_TRUE(WaitForStep(0, step));
    KillCoordinator();
    StartCoordinator();
  }
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Steps(0), ElementsAreArray(UpTo(300)));
}

TEST_F(FaultsTest, WorkerStoppedPastItsLeaseIsFencedAndItsTrialRunsElsewhere) {
  Process& a = StartWorker("a", 1);
  Submit("steps=400,sleep_ms=10", 1);
  ASSERT_TRUE(WaitForStep(0, 5));
  StartWorker("b", 1);

  a.Signal(SIGSTOP);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return GetTrial(0).attempts_size() == 2; }));
  a.Signal(SIGCONT);

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(GetTrial(0).attempts(0).state(), v1::ATTEMPT_STATE_LOST);
  EXPECT_EQ(GetTrial(0).attempts_size(), 2);
  EXPECT_TRUE(Eventually(absl::Seconds(5),
                         [&] { return a.Stderr().find("lease is over") != std::string::npos; }));
}

}  // namespace
}  // namespace vlm::testing
