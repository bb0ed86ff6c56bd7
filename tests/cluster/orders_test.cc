// Orders to running trainers: stop, prune, leave.
#include <signal.h>

#include <filesystem>

#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Property;

class OrdersTest : public ClusterTest {};

TEST_F(OrdersTest, StopIsObeyedAtTheNextStep) {
  StartWorker("a", 1);
  Submit("steps=100000,sleep_ms=5", 1);
  ASSERT_TRUE(WaitForStep(0, 3));

  StopTrial(0);

  EXPECT_TRUE(
      Eventually(absl::Seconds(5), [&] { return GetTrial(0).state() == v1::TRIAL_STATE_FAIL; }));
  EXPECT_EQ(GetTrial(0).attempts(0).state(), v1::ATTEMPT_STATE_STOPPED);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return TrainerPids().size() == 1; }));
}

TEST_F(OrdersTest, WorseTrialsArePruned) {
  StartWorker("a", 1);
  Submit("steps=60,sleep_ms=5,val_every=5", 6,
         {"study.pruner.name=median", "study.pruner.n_startup_trials=1"});

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);

  EXPECT_THAT(Trials(), Contains(Property(&v1::Trial::state, v1::TRIAL_STATE_PRUNED)));
  EXPECT_THAT(Trials(), Contains(Property(&v1::Trial::state, v1::TRIAL_STATE_COMPLETE)));
}

TEST_F(OrdersTest, LeavingWorkerPreemptsAndItsTrialGoesOnElsewhere) {
  Process& a = StartWorker("a", 1);
  Submit("steps=200,sleep_ms=10", 1);
  ASSERT_TRUE(WaitForStep(0, 20));

  a.Signal(SIGTERM);
  const auto exit = a.Wait();
  ASSERT_TRUE(exit.ok()) << a.Stderr();
  EXPECT_EQ(*exit, 0);
  EXPECT_TRUE(TrainerPids().empty());
  EXPECT_TRUE(std::filesystem::is_empty(WorkDir("a") + "/spool"));
  StartWorker("b", 1);

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
  EXPECT_THAT(trial.attempts(1).resumed_from(), HasSubstr("ckpt-1-"));
  EXPECT_THAT(Logs(0), Contains(Property(&v1::LogLine::text, HasSubstr("resumed at step "))));
}

TEST_F(OrdersTest, AHigherPriorityPushesATrialOutAtACheckpointAndItGoesOnAfterwards) {
  StartWorker("a", 1);
  Submit("steps=200,sleep_ms=10", 1, {"study.priority=-1"}, "low");
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] { return GetTrial(0, "low").last_step() >= 20; }));
  Submit("steps=20,sleep_ms=5", 1, {"study.priority=1"}, "high");
  EXPECT_EQ(WaitForEnd(absl::Seconds(60), "high").state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(GetStudy("low").state(), v1::STUDY_STATE_ACTIVE);
  EXPECT_EQ(WaitForEnd(absl::Seconds(60), "low").state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0, "low");
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
  EXPECT_THAT(trial.attempts(1).resumed_from(), HasSubstr("ckpt-1-"));
}

TEST_F(OrdersTest, ADrainedWorkersTrialGoesOnElsewhereAndTheWorkerStays) {
  StartWorker("a", 1);
  Submit("steps=200,sleep_ms=10", 1);
  ASSERT_TRUE(WaitForStep(0, 20));
  StartWorker("b", 1);
  v1::UpdateWorkerRequest request;
  request.set_worker(Workers().at(0).name() == "a" ? Workers().at(0).worker_id()
                                                   : Workers().at(1).worker_id());
  request.set_action(v1::UpdateWorkerRequest::ACTION_DRAIN);
  v1::UpdateWorkerResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(control().UpdateWorker(&context, request, &response).ok());
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
  EXPECT_NE(trial.attempts(1).placements(0).worker_id(), request.worker());
  EXPECT_EQ(Workers().size(), 2u);
}

TEST_F(OrdersTest, AnElasticTrialGoesOnWithTheRanksThatAreLeft) {
  StartWorker("a", 1);
  StartWorker("b", 1);
  Submit("steps=200,sleep_ms=10,ckpt_every=10", 1,
         {"resources.world_size=2", "resources.min_world_size=1"});
  ASSERT_TRUE(WaitForStep(0, 30));
  KillWorker("b");
  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).placements_size(), 2);
  EXPECT_EQ(trial.attempts(1).placements_size(), 1);
  EXPECT_THAT(trial.attempts(1).resumed_from(), HasSubstr("ckpt-1-"));
}

TEST_F(OrdersTest, LeavingWorkerIsOfferedNothingMore) {
  Process& a = StartWorker("a", 2);
  Submit("steps=100000,sleep_ms=5,deaf=1", 1);
  ASSERT_TRUE(WaitForStep(0, 3));
  a.Signal(SIGTERM);
  ASSERT_TRUE(Eventually(absl::Seconds(5),
                         [&] { return Workers().at(0).state() == v1::WORKER_STATE_DRAINING; }));
  Submit("steps=10", 1, {}, "second");
  StartWorker("b", 1);
  EXPECT_EQ(WaitForEnd(absl::Seconds(20), "second").state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(GetTrial(0, "second").attempts_size(), 1);
}

TEST_F(OrdersTest, IdleWorkerLeavesAtOnce) {
  Process& a = StartWorker("a", 1);
  a.Signal(SIGTERM);
  EXPECT_EQ(a.Wait(absl::Seconds(5)).value_or(-1), 0) << a.Stderr();
}

TEST_F(OrdersTest, SecondSignalEndsDeafTrainersAtOnce) {
  Process& a = StartWorker("a", 1);
  Submit("steps=100000,sleep_ms=5,deaf=1", 1);
  ASSERT_TRUE(WaitForStep(0, 3));
  a.Signal(SIGINT);
  EXPECT_EQ(a.Wait(absl::Seconds(1)).status().code(), absl::StatusCode::kDeadlineExceeded);
  a.Signal(SIGINT);
  EXPECT_EQ(a.Wait(absl::Seconds(5)).value_or(-1), 0) << a.Stderr();
}

}  // namespace
}  // namespace vlm::testing
