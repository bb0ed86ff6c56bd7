// Following a study over its whole life, over a restart, and until Ctrl-C.
#include <csignal>

#include "gmock/gmock.h"
#include "tests/client/fake_worker.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(60);

class FollowTest : public ProgramTest {
 protected:
  std::unique_ptr<vlm::testing::Process> SubmitTwoTrials() {
    return Spawn({"submit", SearchFile(), "--set", "n_trials=2", "--name", "demo"});
  }
  static bool Says(const vlm::testing::Process& process, const std::string& text) {
    return vlm::testing::Eventually(kLong, [&] {
      return process.Stderr().find(text) != std::string::npos ||
             process.Stdout().find(text) != std::string::npos;
    });
  }
};

TEST_F(FollowTest, PrintsALineAChangeAndTheBestAtTheEnd) {
  auto submit = SubmitTwoTrials();
  FakeWorker worker(addr_, 1);
  for (const double value : {2.0, 1.0}) ASSERT_TRUE(worker.RunTrial(worker.NextStarted(), value));
  ASSERT_EQ(*submit->Wait(kLong), 0) << submit->Stderr();
  EXPECT_THAT(submit->Stderr(), HasSubstr("trial 0 started: learning_rate="));
  EXPECT_THAT(submit->Stderr(), HasSubstr("trial 1 is complete, val_loss 1 (best so far)\n"));
  EXPECT_THAT(submit->Stderr(), HasSubstr("study demo is completed\n"));
  EXPECT_THAT(submit->Stdout(), HasSubstr("Trial        demo/1\n"));
}

TEST_F(FollowTest, AFailedStudyEndsWith7) {
  auto submit = SubmitTwoTrials();
  FakeWorker worker(addr_, 1);
  for (int i = 0; i < 2; ++i) {
    v1::Report report;
    report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_FAILED);
    report.mutable_outcome()->set_failure_class(v1::FAILURE_CLASS_USER_ERROR);
    report.mutable_outcome()->set_reason("row 3 is no picture");
    ASSERT_TRUE(worker.Report(worker.NextStarted(), report));
  }
  EXPECT_EQ(*submit->Wait(kLong), 7) << submit->Stderr();
  EXPECT_THAT(submit->Stderr(), HasSubstr("row 3 is no picture"));
}

TEST_F(FollowTest, CtrlCDetachesAndSaysHowToComeBack) {
  auto submit = SubmitTwoTrials();
  ASSERT_TRUE(Says(*submit, "study demo is active"));
  submit->Signal(SIGINT);
  EXPECT_EQ(*submit->Wait(), 130);
  EXPECT_THAT(submit->Stderr(), HasSubstr("come back with `vlmctl study watch demo`"));
  EXPECT_EQ(Vlmctl({"study", "get", "demo", "-o", "json"}).json()["state"], "active");
}

TEST_F(FollowTest, SurvivesARestartOfTheCoordinator) {
  auto submit = SubmitTwoTrials();
  ASSERT_TRUE(Says(*submit, "study demo is active"));
  coordinator_->Kill();
  ASSERT_TRUE(Says(*submit, "waiting for the coordinator"));
  StartCoordinator();
  FakeWorker worker(addr_, 1);
  for (const double value : {2.0, 1.0}) ASSERT_TRUE(worker.RunTrial(worker.NextStarted(), value));
  EXPECT_EQ(*submit->Wait(kLong), 0) << submit->Stderr();
  EXPECT_THAT(submit->Stderr(), HasSubstr("trial 1 is complete"));
}

TEST_F(FollowTest, WatchAsJsonIsOneObjectALine) {
  Seed({});
  auto watch = Spawn({"study", "watch", "demo", "-o", "json"});
  ASSERT_TRUE(Says(*watch, "\"kind\""));
  ASSERT_EQ(Vlmctl({"study", "cancel", "demo", "--yes"}).code, 0);
  EXPECT_EQ(*watch->Wait(kLong), 7);
  std::istringstream lines(watch->Stdout());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(Json::parse(line).contains("sequence")) << line;
  }
}

class LogsTest : public FollowTest {
 protected:
  void SetUp() override {
    FollowTest::SetUp();
    Seed({});
    worker_ = std::make_unique<FakeWorker>(addr_, 1);
    offer_ = worker_->NextStarted();
  }
  bool Log(const std::string& text, bool last = false) {
    v1::Report report;
    report.set_total_steps(100);
    report.add_log_lines()->set_text(text);
    if (last) {
      report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
      report.mutable_outcome()->add_values(1);
    }
    return worker_->Report(offer_, report);
  }
  std::unique_ptr<FakeWorker> worker_;
  v1::Offer offer_;
};

TEST_F(LogsTest, AreFollowedOverARestartWithoutGapOrRepetition) {
  ASSERT_TRUE(Log("before"));
  auto logs = Spawn({"trial", "logs", "demo/0", "-f"});
  ASSERT_TRUE(Says(*logs, "before"));
  coordinator_->Kill();
  StartCoordinator();
  worker_->Reattach(addr_, offer_);
  ASSERT_TRUE(Log("after", true));
  EXPECT_EQ(logs->Wait(kLong).value_or(-1), 0) << logs->Stderr();
  EXPECT_EQ(logs->Stdout(), "before\nafter\n");
}

TEST_F(LogsTest, CtrlCEndsFollowing) {
  ASSERT_TRUE(Log("one line"));
  auto logs = Spawn({"trial", "logs", "demo/0", "-f"});
  ASSERT_TRUE(Says(*logs, "one line"));
  logs->Signal(SIGINT);
  EXPECT_EQ(logs->Wait().value_or(-1), 130) << logs->Stderr();
}

}  // namespace
}  // namespace vlm::client
