#include "worker/agent/outcome.h"

#include <csignal>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Outcome Said(v1::AttemptState state, v1::FailureClass failure_class = {},
                 const std::string& reason = "") {
  v1::Outcome outcome;
  outcome.set_state(state);
  outcome.set_failure_class(failure_class);
  outcome.set_reason(reason);
  return outcome;
}

RankEnd End(int rank, std::optional<v1::Outcome> outcome, ExitInfo exit = {}, int at_s = 0) {
  return {rank, std::move(outcome), std::move(exit), absl::Seconds(at_s), false};
}

ExitInfo Signalled(int signal) {
  ExitInfo exit;
  exit.signal = signal;
  return exit;
}

ExitInfo Exited(int code, const std::string& last_lines = "") {
  ExitInfo exit;
  exit.exit_code = code;
  exit.last_lines = last_lines;
  return exit;
}

ExitInfo Killed() {
  ExitInfo exit = Signalled(SIGKILL);
  exit.killed_by_agent = true;
  return exit;
}

v1::Command Order(v1::Command::Action action) {
  v1::Command command;
  command.set_action(action);
  command.set_reason("because");
  return command;
}

TEST(ClassifyTest, CrashNamesSignalAndLastLines) {
  ExitInfo exit = Signalled(SIGSEGV);
  exit.last_lines = "at step 3";
  const v1::Outcome outcome = Classify(exit);
  EXPECT_EQ(outcome.failure_class(), v1::FAILURE_CLASS_UNKNOWN);
  EXPECT_EQ(outcome.reason(), "crashed with signal 11 (SIGSEGV): at step 3");
  EXPECT_EQ(outcome.signal(), 11);
}

TEST(ClassifyTest, KillNineWithTheKernelsEvidenceIsOutOfMemory) {
  ExitInfo exit = Signalled(SIGKILL);
  exit.oom_evidence = true;
  EXPECT_EQ(Classify(exit).failure_class(), v1::FAILURE_CLASS_OUT_OF_MEMORY);
}

TEST(ClassifyTest, KillNineWithoutEvidenceIsUnknown) {
  EXPECT_EQ(Classify(Signalled(SIGKILL)).failure_class(), v1::FAILURE_CLASS_UNKNOWN);
}

TEST(ClassifyTest, KillByTheAgentIsNoLackOfMemory) {
  ExitInfo exit = Killed();
  exit.oom_evidence = true;
  EXPECT_EQ(Classify(exit).failure_class(), v1::FAILURE_CLASS_INFRA);
}

TEST(ClassifyTest, ExitTwoIsTheUsersError) {
  const v1::Outcome outcome = Classify(Exited(2, "input.csv: no such file"));
  EXPECT_EQ(outcome.failure_class(), v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(outcome.reason(), "input.csv: no such file");
}

TEST(ClassifyTest, OtherExitsAreUnknownZeroToo) {
  EXPECT_EQ(Classify(Exited(1)).failure_class(), v1::FAILURE_CLASS_UNKNOWN);
  EXPECT_THAT(Classify({}).reason(), HasSubstr("code 0 before it told its outcome"));
}

TEST(ClassifyTest, LongReasonIsCutAtACharacter) {
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += "\xc3\xa9";
  const std::string reason = Classify(Exited(2, lines)).reason();
  EXPECT_LE(reason.size(), 2000u);
  EXPECT_EQ(reason.size() % 2, 0u);
}

TEST(CombineTest, AllSucceededHasTheValuesOfRankZero) {
  v1::Outcome zero = Said(v1::ATTEMPT_STATE_SUCCEEDED);
  zero.add_values(0.5);
  const v1::Outcome outcome =
      Combine({End(1, Said(v1::ATTEMPT_STATE_SUCCEEDED)), End(0, zero)}, {});
  EXPECT_EQ(outcome.state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(outcome.values(0), 0.5);
}

TEST(CombineTest, CrashBeatsItsEchoEvenIfTheEchoCameFirst) {
  const auto echo = Said(v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_INFRA, "peer closed");
  const v1::Outcome outcome =
      Combine({End(0, echo, {}, 1), End(1, std::nullopt, Signalled(SIGSEGV), 2)}, {});
  EXPECT_THAT(outcome.reason(), StartsWith("rank 1: crashed with signal 11"));
}

TEST(CombineTest, StatedCauseBeatsACrash) {
  const auto stated = Said(v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_DIVERGED, "nan");
  const v1::Outcome outcome =
      Combine({End(0, std::nullopt, Signalled(SIGABRT), 1), End(1, stated, {}, 2)}, {});
  EXPECT_EQ(outcome.failure_class(), v1::FAILURE_CLASS_DIVERGED);
}

TEST(CombineTest, EarlierOfTwoEqualCausesCounts) {
  const v1::Outcome outcome = Combine(
      {End(0, std::nullopt, Signalled(SIGABRT), 5), End(1, std::nullopt, Signalled(SIGBUS), 4)},
      {});
  EXPECT_THAT(outcome.reason(), HasSubstr("SIGBUS"));
}

TEST(CombineTest, PeersThatWereStoppedAreNoCause) {
  RankEnd peer = End(0, std::nullopt, Killed());
  peer.stopped_as_peer = true;
  const v1::Outcome outcome = Combine({peer, End(1, std::nullopt, Signalled(SIGSEGV), 9)}, {});
  EXPECT_THAT(outcome.reason(), StartsWith("rank 1: "));
}

TEST(CombineTest, DeafRankEndsAsItWasTold) {
  const v1::Outcome outcome =
      Combine({End(0, std::nullopt, Killed())}, Order(v1::Command::ACTION_PREEMPT));
  EXPECT_EQ(outcome.state(), v1::ATTEMPT_STATE_PREEMPTED);
  EXPECT_THAT(outcome.reason(), HasSubstr("did not obey in time"));
}

TEST(CombineTest, OrderedEndBeatsSuccess) {
  const v1::Outcome outcome =
      Combine({End(0, Said(v1::ATTEMPT_STATE_PRUNED)), End(1, Said(v1::ATTEMPT_STATE_SUCCEEDED))},
              Order(v1::Command::ACTION_PRUNE));
  EXPECT_EQ(outcome.state(), v1::ATTEMPT_STATE_PRUNED);
}

TEST(CombineTest, NoRankAtAllIsInfra) {
  EXPECT_EQ(Combine({}, {}).failure_class(), v1::FAILURE_CLASS_INFRA);
}

}  // namespace
}  // namespace vlm::agent
