// How trainers end, and what people read about it; who is refused.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::SizeIs;

class OutcomesTest : public ClusterTest {
 protected:
  // The first attempt of the only trial of a study with this plan and no retries.
  v1::Attempt Run(const std::string& plan) {
    StartWorker("a", 1);
    Submit(plan, 1, {"retry.unknown=0", "retry.infra=0", "retry.halt_after=0"});
    WaitForEnd();
    const v1::Trial trial = GetTrial(0);
    return trial.attempts_size() > 0 ? trial.attempts(0) : v1::Attempt();
  }
};

TEST_F(OutcomesTest, ExitCodeTwoIsTheUsersErrorWithTheLastLines) {
  const v1::Attempt attempt = Run("at=3,do=exit2");
  EXPECT_EQ(attempt.failure_class(), v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(attempt.reason(), "doing exit2 at step 3");
  EXPECT_EQ(attempt.exit_code(), 2);
}

TEST_F(OutcomesTest, CrashIsUnknownAndNamesTheSignal) {
  const v1::Attempt attempt = Run("at=3,do=signal11");
  EXPECT_EQ(attempt.failure_class(), v1::FAILURE_CLASS_UNKNOWN);
  EXPECT_THAT(attempt.reason(), HasSubstr("crashed with signal 11 (SIGSEGV)"));
  EXPECT_EQ(attempt.signal(), 11);
}

TEST_F(OutcomesTest, OutcomeOfTheTrainerCounts) {
  const v1::Attempt attempt = Run("at=3,do=nan");
  EXPECT_EQ(attempt.failure_class(), v1::FAILURE_CLASS_DIVERGED);
  EXPECT_EQ(attempt.reason(), "the loss is nan");
}

TEST_F(OutcomesTest, BytesThatAreNoFrameEndTheAttempt) {
  const v1::Attempt attempt = Run("at=3,do=garbage");
  EXPECT_EQ(attempt.failure_class(), v1::FAILURE_CLASS_UNKNOWN);
  EXPECT_THAT(attempt.reason(), HasSubstr("broke the protocol"));
}

TEST_F(OutcomesTest, FloodOfLinesIsCutAndCounted) {
  const v1::Attempt attempt = Run("steps=10,log_lines=20000");
  EXPECT_EQ(attempt.state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(Logs(0), Contains(Property(&v1::LogLine::text, HasSubstr("lines dropped"))));
  EXPECT_LT(Logs(0).size(), 150'000u);
}

TEST_F(OutcomesTest, BrokenTrainerRefusesOffersWithTheReason) {
  Process& a = LaunchWorker("a", 1, {{"VLM_FAKE_START", "exit"}}, {});
  ASSERT_TRUE(a.WaitForLine("attached to ").ok());
  ASSERT_TRUE(Eventually(absl::Seconds(5), [&] {
    return absl::StrContains(a.Stderr(), "the trainer cannot be started");
  }));
  Submit("steps=10", 1, {"retry.infra=0", "retry.halt_after=0"});
  WaitForEnd();
  EXPECT_THAT(GetTrial(0).reason(), HasSubstr("libtorch_cpu.so: cannot open shared object file"));
  // Tries again after 1 s, 2 s, ...: no respawn loop.
  EXPECT_LT(
      std::vector<std::string>(absl::StrSplit(a.Stderr(), "the trainer cannot be started")).size(),
      8u);
}

TEST_F(OutcomesTest, MissingTrainerIsNamed) {
  Process& a = LaunchWorker("a", 1, {}, {"--trainer", dir_ / "nothing-here"});
  ASSERT_TRUE(a.WaitForLine("attached to ").ok());
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] {
    return absl::StrContains(a.Stderr(), "nothing-here: No such file or directory");
  }));
}

TEST_F(OutcomesTest, SecondWorkerInTheSameDirectoryIsRefused) {
  StartWorker("a", 1);
  auto first = std::move(workers_["a"]);
  Process& second = LaunchWorker("a", 1, {}, {});
  EXPECT_EQ(second.Wait().value_or(-1), 1);
  EXPECT_THAT(second.Stderr(), HasSubstr("another worker uses "));
}

TEST_F(OutcomesTest, CopyOfAWorkersDirectoryIsRefusedByTheCoordinator) {
  StartWorker("a", 1);
  std::filesystem::create_directories(WorkDir("copy"));
  std::filesystem::copy_file(WorkDir("a") + "/worker_id", WorkDir("copy") + "/worker_id");
  Process& copy = LaunchWorker("copy", 1, {}, {});
  EXPECT_EQ(copy.Wait().value_or(-1), 4);
  EXPECT_THAT(copy.Stderr(), HasSubstr("attached already"));
  EXPECT_THAT(Workers(), SizeIs(1));
}

}  // namespace
}  // namespace vlm::testing
