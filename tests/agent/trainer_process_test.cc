// Real child processes: fake-trainer, and the shell where a program must misbehave early.
#include "worker/agent/trainer_process.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "worker/agent/spare_pool.h"

namespace vlm::agent {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using testing::IsAlive;

TrainerCommand Fake() { return {{testing::Binary("../test-bin/fake-trainer")}, {}}; }
TrainerCommand Shell(const std::string& script) { return {{"/bin/sh", "-c", script}, {}}; }

class Recorder final : public TrainerListener {
 public:
  void OnReport(int, v1::Report report) override {
    MutexLock lock(mutex_);
    reports_.push_back(std::move(report));
  }
  void OnLines(int) override {}
  void OnClosed(int) override {}
  void OnEnd(int rank, const ExitInfo& exit) override {
    MutexLock lock(mutex_);
    rank_ = rank;
    exit_ = exit;
  }
  std::optional<ExitInfo> exit() {
    MutexLock lock(mutex_);
    return exit_;
  }
  std::vector<v1::Report> reports() {
    MutexLock lock(mutex_);
    return reports_;
  }
  bool WaitForEnd() {
    return Eventually(absl::Seconds(20), [this] { return exit().has_value(); });
  }

 private:
  Mutex mutex_;
  std::vector<v1::Report> reports_;
  std::optional<ExitInfo> exit_;
  int rank_ = -1;
};

class TrainerProcessTest : public ::testing::Test {
 protected:
  void Start(const TrainerCommand& command) {
    auto started = TrainerProcess::Start(command, [] {});
    ASSERT_TRUE(started.ok()) << started.status();
    process_ = *std::move(started);
  }
  void StartWarm() {
    Start(Fake());
    ASSERT_TRUE(Eventually(absl::Seconds(20), [this] { return process_->warm(); }));
  }
  absl::Status Launch(const std::string& plan) {
    v1::Launch launch;
    launch.set_world_size(1);
    launch.set_work_dir(dir_.path());
    launch.mutable_config()->set_input_path("/fake/" + plan);
    return process_->Launch(launch, std::nullopt, dir_ / "rank0.log", &recorder_);
  }

  testing::TempDir dir_;
  Recorder recorder_;
  std::unique_ptr<TrainerProcess> process_;
};

TEST_F(TrainerProcessTest, RunsFromHelloToOutcome) {
  StartWarm();
  ASSERT_TRUE(Launch("steps=3").ok());
  ASSERT_TRUE(recorder_.WaitForEnd());
  const auto reports = recorder_.reports();
  ASSERT_EQ(reports.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(reports[i].sequence(), static_cast<int64_t>(i) + 1);
  EXPECT_EQ(reports[3].outcome().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(recorder_.exit()->exit_code, 0);
  EXPECT_EQ(process_->logs().Take().size(), 3u);
}

TEST_F(TrainerProcessTest, CommandArrives) {
  StartWarm();
  ASSERT_TRUE(Launch("steps=100000").ok());
  v1::Command command;
  command.set_action(v1::Command::ACTION_STOP);
  ASSERT_TRUE(process_->Send(command).ok());
  ASSERT_TRUE(recorder_.WaitForEnd());
  EXPECT_EQ(recorder_.reports().back().outcome().state(), v1::ATTEMPT_STATE_STOPPED);
}

TEST_F(TrainerProcessTest, SignalThatEndedItIsTold) {
  StartWarm();
  ASSERT_TRUE(Launch("at=2,do=signal6").ok());
  ASSERT_TRUE(recorder_.WaitForEnd());
  EXPECT_EQ(recorder_.exit()->signal, SIGABRT);
  EXPECT_FALSE(recorder_.exit()->killed_by_agent);
  EXPECT_EQ(recorder_.exit()->last_lines, "doing signal6 at step 2");
}

TEST_F(TrainerProcessTest, KillReachesTheWholeGroup) {
  Start(Shell("sleep 1000 & echo $!; wait"));
  std::vector<v1::LogLine> lines;
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] {
    lines = process_->logs().Take();
    return !lines.empty();
  }));
  const pid_t grandchild = std::stoi(lines[0].text());
  process_->Kill();
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return !IsAlive(grandchild); }));
}

TEST_F(TrainerProcessTest, StragglersOfAnEndedTrainerDieWithIt) {
  Start(Shell("sleep 1000 & echo $!"));
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return process_->ended(); }));
  const pid_t grandchild = std::stoi(process_->logs().Take().at(0).text());
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return !IsAlive(grandchild); }));
}

TEST_F(TrainerProcessTest, LaunchOfADeadSpareIsUnavailable) {
  StartWarm();
  process_->Kill();
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return process_->ended(); }));
  EXPECT_TRUE(absl::IsUnavailable(Launch("steps=3")));
  EXPECT_FALSE(recorder_.exit().has_value());
}

TEST_F(TrainerProcessTest, MissingProgramIsNotFound) {
  const auto started = TrainerProcess::Start({{dir_ / "none"}, {}}, [] {});
  EXPECT_TRUE(absl::IsNotFound(started.status())) << started.status();
}

TEST_F(TrainerProcessTest, FileThatIsNoProgramIsDenied) {
  const auto started = TrainerProcess::Start({{dir_.path()}, {}}, [] {});
  EXPECT_TRUE(absl::IsPermissionDenied(started.status())) << started.status();
}

TEST_F(TrainerProcessTest, BytesThatAreNoFrameEndIt) {
  Start(Shell("printf '\\377\\377\\377\\377' >&$VLM_TRAINER_FD; sleep 1000"));
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return process_->ended(); }));
  EXPECT_THAT(process_->EndReason(), HasSubstr("broke the protocol"));
}

TEST_F(TrainerProcessTest, NothingButItsOwnDescriptorsIsInherited) {
  const int leak = dup(STDOUT_FILENO);  // Without close-on-exec.
  Start(Shell("ls /proc/self/fd | tr '\\n' ' '; echo"));
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return process_->ended(); }));
  close(leak);
  EXPECT_EQ(process_->logs().Take().at(0).text(), "0 1 2 3 4 ");  // 4: the listing itself.
}

class SparePoolTest : public ::testing::Test {};

TEST_F(SparePoolTest, KeepsSparesWarmAndReplacesTakenOnes) {
  SparePool pool(Fake(), 2);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return pool.warm() == 2; }));
  const auto taken = pool.Take(absl::Seconds(1));
  ASSERT_TRUE(taken.ok());
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return pool.warm() == 2; }));
}

TEST_F(SparePoolTest, WithoutSparesOneIsStartedWhenNeeded) {
  SparePool pool(Fake(), 0);
  EXPECT_EQ(pool.warm(), 0);
  EXPECT_TRUE(pool.Take(absl::Seconds(20)).ok());
}

TEST_F(SparePoolTest, DeadSpareIsReplacedAfterABackoff) {
  testing::TempDir dir;
  const std::string own = dir / "spare";  // To find the process by its name.
  std::filesystem::copy_file(Fake().argv[0], own);
  SparePool pool({{own}, {}}, 1);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return pool.warm() == 1; }));
  const pid_t first = testing::FindProcesses(own).at(0);

  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return !pool.Health().ok(); }));
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return pool.warm() == 1; }));
  EXPECT_NE(testing::FindProcesses(own).at(0), first);
}

TEST_F(SparePoolTest, TrainerThatDiesBeforeItsHelloIsTheReason) {
  SparePool pool(Shell("echo no such library >&2; exit 127"), 1);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return !pool.Health().ok(); }));
  EXPECT_THAT(std::string(pool.Health().message()), HasSubstr("no such library"));
  EXPECT_TRUE(absl::IsUnavailable(pool.Take(absl::Seconds(5)).status()));
}

TEST_F(SparePoolTest, RecoversWhenTheTrainerIsMended) {
  testing::TempDir dir;
  SparePool pool(
      Shell("test -e " + (dir / "mended") + " && exec " + Fake().argv[0] + "; echo broken; exit 1"),
      1);
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return !pool.Health().ok(); }));
  std::ofstream(dir / "mended") << "yes";
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return pool.Health().ok(); }));
}

TEST_F(SparePoolTest, WaitForASlowTrainerEnds) {
  SparePool pool(Shell("sleep 1000"), 1);
  EXPECT_EQ(pool.Take(absl::Milliseconds(50)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace vlm::agent
