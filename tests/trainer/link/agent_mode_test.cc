// vlm-trainer as an agent starts it, with the test as the agent.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/framing.h"
#include "insight/shapes/shapes.h"
#include "tests/support/process.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::trainer {
namespace {

using vlm::testing::Process;

class AgentModeTest : public ::testing::Test {
 protected:
  AgentModeTest() {
    insight::ShapesOptions shapes;
    shapes.out = dir_ / "shapes";
    shapes.n = 20;
    shapes.image_size = 16;
    EXPECT_TRUE(insight::WriteShapes(shapes).ok());
    const config::LoadResult loaded = config::Load(
        absl::StrCat("input_path: ", dir_ / "shapes/captions.csv",
                     "\nprecision_mode: fp32\ncuda_enabled: false\nn_embd: 16\nimage_embed_dim: "
                     "16\nn_layer: 1\nnum_blks: 1\nnum_head: 2\nimg_size: 16\npatch_size: 8\n"
                     "batch_size: 4\nval_batch_size: 2\nmax_iters: 6\neval_interval: 3\n"
                     "eval_iters: 2\n"),
        "test.yaml");
    EXPECT_TRUE(loaded.ok());
    launch_.set_attempt_id(5);
    *launch_.mutable_config() = loaded.spec.train();
    launch_.set_world_size(1);
    launch_.set_device("cpu");
    launch_.set_threads(1);
    launch_.set_work_dir(dir_ / "work");
    StartTrainer();
  }
  void StartTrainer() {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    agent_ = std::make_unique<FrameSocket>(ends[0]);
    auto started = Process::Start(
        {vlm::testing::Binary("vlm-trainer")},
        {{"VLM_TRAINER_FD", absl::StrCat(ends[1])}, {"VLM_CACHE_DIR", dir_ / "cache"}});
    close(ends[1]);
    ASSERT_TRUE(started.ok()) << started.status();
    trainer_ = *std::move(started);
    v1::TrainerMessage hello;
    ASSERT_TRUE(agent_->Receive(hello).ok());
    EXPECT_EQ(hello.hello().pid(), trainer_->pid());
    EXPECT_GT(hello.hello().rss_bytes(), 0);
  }
  void Launch() {
    v1::AgentMessage message;
    *message.mutable_launch() = launch_;
    ASSERT_TRUE(agent_->Send(message).ok());
  }
  void Order(v1::Command::Action action) {
    v1::AgentMessage message;
    message.mutable_command()->set_action(action);
    ASSERT_TRUE(agent_->Send(message).ok());
  }
  // Reads on until `done` says so or the outcome came; returns everything merged.
  v1::Report ReadUntil(const std::function<bool(const v1::Report&)>& done) {
    v1::Report all;
    v1::TrainerMessage message;
    while (!all.has_outcome() && agent_->Receive(message).ok()) {
      all.MergeFrom(message.report());
      if (done(all)) break;
    }
    return all;
  }
  v1::Report ReadToOutcome() {
    return ReadUntil([](const v1::Report&) { return false; });
  }

  const vlm::testing::TempDir dir_;
  v1::Launch launch_;
  std::unique_ptr<FrameSocket> agent_;
  std::unique_ptr<Process> trainer_;
};

TEST_F(AgentModeTest, TrainsReportsAndEnds) {
  Launch();
  const v1::Report all = ReadToOutcome();
  EXPECT_EQ(all.outcome().state(), v1::ATTEMPT_STATE_SUCCEEDED) << all.outcome().reason();
  ASSERT_EQ(all.validations_size(), 2);
  EXPECT_EQ(all.validations(1).step(), 6);
  EXPECT_EQ(all.outcome().values(0), all.validations(1).value());
  ASSERT_EQ(all.checkpoints_size(), 1);
  EXPECT_EQ(all.checkpoints(0).checkpoint_id(), "ckpt-5-6");
  EXPECT_EQ(all.last_step(), 6);
  EXPECT_EQ(*trainer_->Wait(), 0);
}

TEST_F(AgentModeTest, PruneEndsItWithoutACheckpoint) {
  launch_.mutable_config()->set_max_iters(1'000'000);
  Launch();
  ReadUntil([](const v1::Report& all) { return all.validations_size() > 0; });
  Order(v1::Command::ACTION_PRUNE);
  const v1::Report all = ReadToOutcome();
  EXPECT_EQ(all.outcome().state(), v1::ATTEMPT_STATE_PRUNED);
  EXPECT_EQ(all.checkpoints_size(), 0);
  EXPECT_EQ(*trainer_->Wait(), 0);
}

TEST_F(AgentModeTest, ADataErrorIsTheOutcome) {
  launch_.mutable_config()->set_input_path("/nowhere/x.csv");
  Launch();
  const v1::Report all = ReadToOutcome();
  EXPECT_EQ(all.outcome().state(), v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(all.outcome().failure_class(), v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_THAT(all.outcome().reason(), ::testing::HasSubstr("/nowhere/x.csv"));
  EXPECT_EQ(*trainer_->Wait(), 0);
}

TEST_F(AgentModeTest, EndsAtOnceWhenTheAgentIsGone) {
  launch_.mutable_config()->set_max_iters(1'000'000);
  Launch();
  ReadUntil([](const v1::Report& all) { return all.last_step() > 0; });
  agent_.reset();
  EXPECT_EQ(*trainer_->Wait(), 3);
}

TEST_F(AgentModeTest, ASpareThatNobodyNeedsEndsQuietly) {
  agent_.reset();
  EXPECT_EQ(*trainer_->Wait(), 0);
}

}  // namespace
}  // namespace vlm::trainer
