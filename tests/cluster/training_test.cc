// The real trainer under the real agent: a small model on rendered pictures, and the kills.
#include <signal.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class TrainingTest : public ClusterTest {
 protected:
  void SetUp() override {
    trainer_ = "vlm-trainer";
    ClusterTest::SetUp();
    auto shapes = Process::Start(
        {Binary("vlmctl"), "data", "shapes", "--out", dir_ / "shapes", "--n", "60", "--seed", "1"});
    ASSERT_TRUE(shapes.ok()) << shapes.status();
    ASSERT_EQ((*shapes)->Wait(absl::Seconds(60)).value_or(-1), 0) << (*shapes)->Stderr();
  }
  void StartOneSlot(const std::string& name) {
    StartWorker(name, 1, {}, {"--threads-per-slot", "1"});
  }
  // One trial of `steps` steps of a model that trains in milliseconds.
  void Train(int steps, const std::vector<std::string>& overrides = {}) {
    SubmitText(absl::StrCat("input_path: ", dir_ / "shapes", "/captions.csv\nmax_iters: ", steps,
                            "\nimg_size: 32\npatch_size: 8\nn_embd: 32\nimage_embed_dim: 32\n"
                            "num_blks: 1\nn_layer: 1\nnum_head: 2\nbatch_size: 8\n"
                            "val_batch_size: 4\neval_interval: 25\neval_iters: 1\n"
                            "num_workers: 0\nretry: {backoff_s: 0}\n"
                            "checkpoint: {every_steps: 10}\n"),
               overrides);
  }
  // Pids that do not wait as spares: those that the agents' logs call started.
  pid_t PidOfRank(const std::string& worker) {
    const std::string log = workers_.at(worker)->Stderr();
    const size_t at = log.rfind("\"pid\":\"");
    return at == std::string::npos ? -1 : std::atoi(log.c_str() + at + 7);
  }
};

constexpr absl::Duration kLong = absl::Seconds(150);

TEST_F(TrainingTest, KilledWorkersTrialGoesOnFromItsCheckpointElsewhere) {
  StartOneSlot("a");
  Train(250);
  ASSERT_TRUE(Eventually(kLong, [&] { return !Checkpoints(0).empty(); }));
  KillWorker("a");
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return TrainerPids().empty(); }));
  StartOneSlot("b");

  EXPECT_EQ(WaitForEnd(kLong).state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_THAT(trial.attempts(1).resumed_from(), HasSubstr("ckpt-1-"));
  EXPECT_EQ(trial.checkpoint().step(), 250);
}

TEST_F(TrainingTest, KilledCoordinatorStopsNoTrainerAndLosesNoPoint) {
  StartOneSlot("a");
  Train(250);
  ASSERT_TRUE(WaitForStep(0, 20, kLong));
  const pid_t before = PidOfRank("a");
  KillCoordinator();
  StartCoordinator();
  ASSERT_TRUE(WaitForStep(0, 50, kLong));
  EXPECT_EQ(PidOfRank("a"), before);

  EXPECT_EQ(WaitForEnd(kLong).state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_THAT(Steps(0), ElementsAreArray(UpTo(250)));
  EXPECT_EQ(GetTrial(0).attempts_size(), 1);
}

TEST_F(TrainingTest, RankKilledInAGangOfTwoWorkersIsTrainedAgain) {
  StartOneSlot("a");
  StartOneSlot("b");
  Train(250, {"resources.world_size=2"});
  ASSERT_TRUE(WaitForStep(0, 30, kLong));
  kill(PidOfRank("b"), SIGKILL);

  EXPECT_EQ(WaitForEnd(kLong).state(), v1::STUDY_STATE_COMPLETED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 2);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(trial.attempts(1).state(), v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(TrainingTest, LeavingWorkersTrialGoesOnElsewhere) {
  StartOneSlot("a");
  Process& a = *workers_["a"];
  Train(250);
  ASSERT_TRUE(WaitForStep(0, 10, kLong));
  a.Signal(SIGTERM);
  EXPECT_EQ(a.Wait(absl::Seconds(40)).value_or(-1), 0) << a.Stderr();
  StartOneSlot("b");

  EXPECT_EQ(WaitForEnd(kLong).state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(GetTrial(0).attempts(0).state(), v1::ATTEMPT_STATE_PREEMPTED);
  EXPECT_THAT(GetTrial(0).attempts(1).resumed_from(), HasSubstr("ckpt-1-"));
}

TEST_F(TrainingTest, StopIsObeyedAtAStepBoundary) {
  StartOneSlot("a");
  Train(1'000'000);
  ASSERT_TRUE(WaitForStep(0, 5, kLong));
  StopTrial(0);
  EXPECT_TRUE(
      Eventually(absl::Seconds(20), [&] { return GetTrial(0).state() == v1::TRIAL_STATE_FAIL; }));
  EXPECT_EQ(GetTrial(0).attempts(0).state(), v1::ATTEMPT_STATE_STOPPED);
}

TEST_F(TrainingTest, MissingDataIsTheUsersErrorAndNotTriedAgain) {
  StartOneSlot("a");
  Train(10, {absl::StrCat("input_path=", dir_ / "nothing.csv")});
  EXPECT_EQ(WaitForEnd(kLong).state(), v1::STUDY_STATE_FAILED);
  const v1::Trial trial = GetTrial(0);
  ASSERT_EQ(trial.attempts_size(), 1);
  EXPECT_EQ(trial.attempts(0).failure_class(), v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_THAT(trial.attempts(0).reason(), HasSubstr("nothing.csv"));
}

}  // namespace
}  // namespace vlm::testing
