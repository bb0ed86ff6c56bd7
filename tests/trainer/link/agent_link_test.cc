// The trainer's end of the socket, with the test as the agent.
#include "worker/trainer/link/agent_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/trainer/link/agent_observer.h"

namespace vlm::trainer {
namespace {

class AgentLinkTest : public ::testing::Test {
 protected:
  AgentLinkTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    agent_ = std::make_unique<FrameSocket>(ends[0]);
    link_ = std::make_unique<AgentLink>(ends[1]);
  }
  v1::Report NextReport() {
    v1::TrainerMessage message;
    EXPECT_TRUE(agent_->Receive(message).ok());
    return message.report();
  }
  static StepRecord Record(int64_t step) {
    StepRecord record;
    record.step = step;
    record.total = 10;
    record.loss = 1.0 / static_cast<double>(step);
    record.phases.set_first_step(step);
    record.phases.set_last_step(step);
    record.phases.set_wall_ms(5);
    record.global_samples = 4;
    return record;
  }
  static const v1::Series* Find(const v1::Report& report, const std::string& name) {
    for (const v1::Series& series : report.series()) {
      if (series.name() == name) return &series;
    }
    return nullptr;
  }

  std::unique_ptr<FrameSocket> agent_;
  std::unique_ptr<AgentLink> link_;
};

TEST_F(AgentLinkTest, TakesTheLaunchWithItsSocket) {
  v1::AgentMessage message;
  message.mutable_launch()->set_rank(2);
  const int fd = dup(0);
  ASSERT_TRUE(agent_->Send(message, fd).ok());
  close(fd);
  const auto received = link_->WaitForLaunch();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->launch.rank(), 2);
  ASSERT_TRUE(received->listen_fd.has_value());
  close(*received->listen_fd);
}

TEST_F(AgentLinkTest, AnAgentThatClosesNeedsNoTrainer) {
  agent_->Shutdown();
  EXPECT_TRUE(absl::IsOutOfRange(link_->WaitForLaunch().status()));
}

TEST_F(AgentLinkTest, NumbersBatchesWithoutGaps) {
  link_->Start(0);
  AgentObserver observer(link_.get(), 0);
  for (int64_t step = 1; step <= 3; ++step) {
    StepRecord record = Record(step);
    record.metric = record.val_loss = 0.5;  // Makes the batch urgent.
    observer.OnStep(record);
    const v1::Report report = NextReport();
    EXPECT_EQ(report.sequence(), step);
    EXPECT_EQ(report.last_step(), step);
    ASSERT_EQ(report.validations_size(), 1);
    EXPECT_EQ(report.validations(0).value(), 0.5);
  }
}

TEST_F(AgentLinkTest, PutsPointsOfSeveralStepsIntoOneBatch) {
  link_->Start(0);
  AgentObserver observer(link_.get(), 0);
  std::vector<int64_t> steps;
  for (int64_t step = 1; step <= 5; ++step) observer.OnStep(Record(step));
  while (steps.size() < 5) {
    const v1::Report report = NextReport();
    const v1::Series* loss = Find(report, "train_loss");
    ASSERT_NE(loss, nullptr);
    for (const v1::Point& point : loss->points()) steps.push_back(point.step());
  }
  EXPECT_THAT(steps, ::testing::ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(AgentLinkTest, TheOutcomeIsInTheLastBatchWithTheOpenWindow) {
  link_->Start(0);
  AgentObserver observer(link_.get(), 0);
  observer.OnStep(Record(1));
  observer.Flush();
  v1::Outcome outcome;
  outcome.set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  link_->Finish(outcome);
  v1::Report report = NextReport();
  v1::Report all = report;
  while (!report.has_outcome()) all.MergeFrom(report = NextReport());
  EXPECT_EQ(report.outcome().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(all.phases_size(), 1);
  EXPECT_EQ(all.phases(0).last_step(), 1);
  EXPECT_NE(Find(all, "phase/forward_ms"), nullptr);
}

TEST_F(AgentLinkTest, OtherRanksSendPhasesButNoPoints) {
  link_->Start(1);
  AgentObserver observer(link_.get(), 1);
  observer.OnStep(Record(1));
  observer.Flush();
  const v1::Report report = NextReport();
  EXPECT_EQ(report.rank(), 1);
  EXPECT_EQ(report.series_size(), 0);
  EXPECT_EQ(report.validations_size(), 0);
}

TEST_F(AgentLinkTest, TheNewestOrderIsPending) {
  link_->Start(0);
  EXPECT_EQ(link_->pending(), v1::Command::ACTION_UNSPECIFIED);
  v1::AgentMessage message;
  message.mutable_command()->set_action(v1::Command::ACTION_PRUNE);
  ASSERT_TRUE(agent_->Send(message).ok());
  while (link_->pending() == v1::Command::ACTION_UNSPECIFIED) std::this_thread::yield();
  EXPECT_EQ(link_->pending(), v1::Command::ACTION_PRUNE);
}

TEST(AgentLinkDeathTest, ALostAgentEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        int ends[2];
        socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        AgentLink link(ends[1]);
        link.Start(0);
        close(ends[0]);
        pause();
      },
      ::testing::ExitedWithCode(kExitAgentGone), "");
}

TEST(AgentLinkEnvironmentTest, ADescriptorThatIsNotOpenIsRefused) {
  setenv("VLM_TRAINER_FD", "987", 1);
  EXPECT_TRUE(absl::IsInvalidArgument(AgentLink::FromEnvironment().status()));
  unsetenv("VLM_TRAINER_FD");
  EXPECT_TRUE(absl::IsNotFound(AgentLink::FromEnvironment().status()));
}

}  // namespace
}  // namespace vlm::trainer
