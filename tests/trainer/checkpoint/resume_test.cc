// A training that is interrupted and goes on is the training that was never interrupted.
#include "tests/trainer/support/training_fixture.h"
#include "worker/trainer/checkpoint/checkpoint.h"

namespace vlm::trainer {
namespace {

class ResumeTest : public testing::TrainingTest {
 protected:
  ResumeTest() {
    config_.set_dropout(0.3);
    config_.set_emb_dropout(0.1);
    config_.set_blk_dropout(0.2);
    config_.mutable_checkpoint()->set_every_steps(3);
    config_.mutable_checkpoint()->set_keep(5);
  }
  std::string Hash() const { return observer_.checkpoints.back().sha256(); }
};

TEST_F(ResumeTest, GoesOnBitForBitWithDropout) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  const std::vector<double> whole = observer_.Losses();
  const std::string hash = Hash();
  observer_ = {};
  job_.launch.set_resume_from(CheckpointPath(dir_ / "work", 3));
  job_.launch.set_work_dir(dir_ / "second");
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(observer_.first_step, 3);
  EXPECT_THAT(observer_.Losses(), ::testing::ElementsAre(whole[3], whole[4], whole[5]));
  EXPECT_EQ(Hash(), hash);  // The final files are equal, moments and generators included.
}

TEST_F(ResumeTest, AFinishedTrainingOnlyReportsItsValue) {
  const v1::Outcome first = Train();
  observer_ = {};
  job_.launch.set_resume_from(CheckpointPath(dir_ / "work", 6));
  const v1::Outcome second = Train();
  EXPECT_TRUE(observer_.steps.empty());
  ASSERT_EQ(second.values_size(), 1);
  EXPECT_EQ(second.values(0), first.values(0));
}

TEST_F(ResumeTest, KeepsTheNewestFiles) {
  config_.mutable_checkpoint()->set_every_steps(1);
  config_.mutable_checkpoint()->set_keep(2);
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(observer_.checkpoints.size(), 6u);
  EXPECT_FALSE(LoadCheckpoint(CheckpointPath(dir_ / "work", 4)).ok());
  EXPECT_TRUE(LoadCheckpoint(CheckpointPath(dir_ / "work", 5)).ok());
  EXPECT_TRUE(LoadCheckpoint(CheckpointPath(dir_ / "work", 6)).ok());
}

TEST_F(ResumeTest, ACheckpointOfAnotherModelIsRefused) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  job_.launch.set_resume_from(CheckpointPath(dir_ / "work", 3));
  config_.set_n_embd(32);
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "decoder");
}

TEST_F(ResumeTest, AMissingCheckpointIsNamed) {
  job_.launch.set_resume_from(dir_ / "gone.safetensors");
  ExpectFailure(v1::FAILURE_CLASS_USER_ERROR, "gone.safetensors");
}

}  // namespace
}  // namespace vlm::trainer
