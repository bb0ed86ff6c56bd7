#include "server/core/attempt_state.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace vlm::core {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(AttemptStateTest, EndStatesAreLeftByNothing) {
  for (const AttemptMove& move : AttemptMoves()) EXPECT_FALSE(IsEnd(move.from)) << move.when;
}

TEST(AttemptStateTest, EveryStateCanBeReachedAndEveryLiveOneLeft) {
  for (int s = v1::ATTEMPT_STATE_OFFERED; s <= v1::ATTEMPT_STATE_LOST; ++s) {
    const auto state = static_cast<v1::AttemptState>(s);
    bool reached = false;
    bool left = false;
    for (const AttemptMove& move : AttemptMoves()) {
      reached |= move.to == state;
      left |= move.from == state;
    }
    EXPECT_TRUE(reached) << ShortName(state);
    EXPECT_EQ(left, !IsEnd(state)) << ShortName(state);
  }
}

TEST(AttemptStateTest, OnlyARunningAttemptSucceedsOrIsPruned) {
  for (int s = v1::ATTEMPT_STATE_OFFERED; s <= v1::ATTEMPT_STATE_LOST; ++s) {
    const auto state = static_cast<v1::AttemptState>(s);
    const bool running = state == v1::ATTEMPT_STATE_RUNNING;
    EXPECT_EQ(MayMove(state, v1::ATTEMPT_STATE_SUCCEEDED), running);
    EXPECT_EQ(MayMove(state, v1::ATTEMPT_STATE_PRUNED), running);
  }
}

TEST(AttemptStateTest, EveryLiveStateCanBeLostStoppedPreemptedAndFail) {
  for (int s = v1::ATTEMPT_STATE_OFFERED; s <= v1::ATTEMPT_STATE_RUNNING; ++s) {
    for (auto end : {v1::ATTEMPT_STATE_LOST, v1::ATTEMPT_STATE_STOPPED, v1::ATTEMPT_STATE_PREEMPTED,
                     v1::ATTEMPT_STATE_FAILED}) {
      EXPECT_TRUE(MayMove(static_cast<v1::AttemptState>(s), end));
    }
  }
}

// The drawing between the two markers of ARCHITECTURE.md is the table's.
TEST(AttemptStateTest, ArchitectureDrawsTheTable) {
  const std::string text =
      ReadFile(std::string(std::getenv("VLM_SOURCE_DIR")) + "/ARCHITECTURE.md");
  const std::string want = "<!-- attempt-states:begin -->\n```mermaid\n" + DrawAttemptMoves() +
                           "```\n<!-- attempt-states:end -->";
  EXPECT_NE(text.find(want), std::string::npos) << "put this into ARCHITECTURE.md:\n" << want;
}

}  // namespace
}  // namespace vlm::core
