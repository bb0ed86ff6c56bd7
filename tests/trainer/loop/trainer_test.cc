// The training loop in this process, on a tiny model.
#include <cmath>

#include "tests/trainer/support/training_fixture.h"

namespace vlm::trainer {
namespace {

using ::testing::HasSubstr;

class LoopTest : public testing::TrainingTest {};

TEST_F(LoopTest, MemorisesThreePictures) {
  MakePictures(3);
  config_.mutable_data()->set_repeat(10);
  config_.set_max_iters(80);
  config_.set_learning_rate(1e-2);
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_LT(observer_.steps.back().loss, 0.4 * observer_.steps.front().loss);
}

TEST_F(LoopTest, ReportsEveryStepInOrder) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(observer_.steps.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(observer_.steps[i].step, static_cast<int64_t>(i) + 1);
    EXPECT_GT(observer_.steps[i].grad_norm, 0);
    EXPECT_GT(observer_.steps[i].phases.forward_ms(), 0);
    EXPECT_EQ(observer_.steps[i].global_samples, 4);
  }
}

TEST_F(LoopTest, RunsEpochsTimesMaxItersSteps) {
  config_.set_epochs(2);
  config_.set_max_iters(2);
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(observer_.steps.size(), 4u);
  EXPECT_EQ(observer_.total_steps, 4);
}

TEST_F(LoopTest, ValidatesEachIntervalAndAtTheEnd) {
  config_.set_max_iters(5);
  config_.set_eval_interval(2);
  const v1::Outcome outcome = Train();
  std::vector<int64_t> validated;
  for (const StepRecord& record : observer_.steps) {
    if (record.val_loss.has_value()) validated.push_back(record.step);
  }
  EXPECT_THAT(validated, ::testing::ElementsAre(2, 4, 5));
  ASSERT_EQ(outcome.values_size(), 1);
  EXPECT_EQ(outcome.values(0), *observer_.steps.back().val_loss);
}

TEST_F(LoopTest, ReportsTheMeanTrainLossAsMetricWhenAsked) {
  config_.set_metric("train_loss");
  const v1::Outcome outcome = Train();
  const std::vector<double> losses = observer_.Losses();
  ASSERT_EQ(outcome.values_size(), 1);
  EXPECT_DOUBLE_EQ(outcome.values(0), (losses[3] + losses[4] + losses[5]) / 3);
}

TEST_F(LoopTest, PhasesAddUpToTheWallTime) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  for (const StepRecord& record : observer_.steps) {
    const v1::PhaseSummary& p = record.phases;
    EXPECT_NEAR(p.data_wait_ms() + p.copy_ms() + p.forward_ms() + p.backward_ms() +
                    p.allreduce_ms() + p.optimizer_ms() + p.validation_ms() + p.checkpoint_ms() +
                    p.other_ms(),
                p.wall_ms(), 1e-6);
  }
}

TEST_F(LoopTest, TheSameSeedGivesTheSameLosses) {
  config_.set_dropout(0.2);
  Train();
  const std::vector<double> first = observer_.Losses();
  observer_.steps.clear();
  Train();
  EXPECT_EQ(observer_.Losses(), first);
}

TEST_F(LoopTest, AnotherSeedGivesOtherLosses) {
  Train();
  const std::vector<double> first = observer_.Losses();
  observer_.steps.clear();
  config_.set_seed(8);
  Train();
  EXPECT_NE(observer_.Losses(), first);
}

// To 1e-3: the projector's own dropout, which no key switches off, draws a mask per piece.
TEST_F(LoopTest, AccumulationChangesMemoryNotLosses) {
  Train();
  const std::vector<double> whole = observer_.Losses();
  const double norm = observer_.steps[0].grad_norm;
  observer_.steps.clear();
  config_.mutable_optimizer()->set_accumulation_steps(3);  // 4 rows in pieces of 1, 1 and 2.
  Train();
  EXPECT_THAT(observer_.Losses(), ::testing::Pointwise(::testing::DoubleNear(1e-3), whole));
  EXPECT_NEAR(observer_.steps[0].grad_norm, norm, 0.02 * norm);
}

TEST_F(LoopTest, FollowsTheSchedule) {
  config_.mutable_optimizer()->set_schedule(v1::SCHEDULE_COSINE);
  config_.mutable_optimizer()->set_warmup_iters(2);
  config_.mutable_optimizer()->set_min_lr_ratio(0.1);
  Train();
  EXPECT_LT(observer_.steps[0].lr, observer_.steps[2].lr);
  EXPECT_NEAR(observer_.steps[5].lr, 0.1 * config_.learning_rate(), 1e-9);
}

TEST_F(LoopTest, PruneEndsAtTheNextBoundary) {
  observer_.after_step = [&](const StepRecord& record) {
    if (record.step == 3) observer_.order = v1::Command::ACTION_PRUNE;
  };
  EXPECT_EQ(Train().state(), v1::ATTEMPT_STATE_PRUNED);
  EXPECT_EQ(observer_.steps.size(), 3u);
  EXPECT_TRUE(observer_.checkpoints.empty());
}

TEST_F(LoopTest, StopEndsAtTheNextBoundary) {
  observer_.order = v1::Command::ACTION_STOP;
  EXPECT_EQ(Train().state(), v1::ATTEMPT_STATE_STOPPED);
  EXPECT_EQ(observer_.steps.size(), 1u);
}

TEST_F(LoopTest, PreemptSavesFirst) {
  observer_.order = v1::Command::ACTION_PREEMPT;
  EXPECT_EQ(Train().state(), v1::ATTEMPT_STATE_PREEMPTED);
  ASSERT_EQ(observer_.checkpoints.size(), 1u);
  EXPECT_EQ(observer_.checkpoints[0].step(), 1);
  EXPECT_EQ(observer_.checkpoints[0].checkpoint_id(), "ckpt-3-1");
}

TEST_F(LoopTest, SaysWhenItTrainsOnTheCpuInstead) {
  config_.set_cuda_enabled(true);
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(observer_.notes, ::testing::Contains(HasSubstr("no GPU")));
}

TEST_F(LoopTest, ALossThatIsNoNumberIsDiverged) {
  config_.set_learning_rate(1e25);
  ExpectFailure(v1::FAILURE_CLASS_DIVERGED, "at step");
  EXPECT_FALSE(std::isfinite(observer_.steps.back().loss) &&
               std::isfinite(observer_.steps.back().val_loss.value_or(0)));
}

TEST_F(LoopTest, MissingDataAreAUserError) {
  config_.set_input_path(dir_ / "nowhere.csv");
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "nowhere.csv");
}

TEST_F(LoopTest, TooSmallAVocabularyIsAUserError) {
  config_.set_vocab_size(3);
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "vocab_size");
}

TEST_F(LoopTest, Fp16OnACpuIsAUserError) {
  config_.set_precision_mode(v1::PRECISION_FP16);
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "fp16");
}

TEST_F(LoopTest, RanksThatDoNotDivideTheBatchAreAUserError) {
  job_.launch.set_world_size(3);
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "batch_size is 4");
}

TEST_F(LoopTest, ADeviceThatIsNotThereIsInfra) {
  config_.mutable_resources()->set_device(v1::DEVICE_KIND_CUDA);
  ExpectFailure(v1::FAILURE_CLASS_INFRA, "no GPU");
}

}  // namespace
}  // namespace vlm::trainer
