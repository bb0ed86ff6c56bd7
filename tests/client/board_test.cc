#include "client/follow/board.h"

#include "client/output/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class BoardTest : public ::testing::Test {
 protected:
  std::vector<std::string> Study(v1::StudyState state, const std::string& reason = "") {
    v1::Event event;
    v1::Study& study = *event.mutable_study();
    study.set_name("demo");
    study.set_state(state);
    study.set_reason(reason);
    study.set_metric("val_loss");
    study.set_n_trials(4);
    return board_.Apply(event, now_);
  }
  std::vector<std::string> Trial(int64_t number, v1::TrialState state, double value = 0) {
    v1::Event event;
    event.mutable_time()->set_seconds(1000);
    v1::Trial& trial = *event.mutable_trial();
    trial.set_number(number);
    trial.set_state(state);
    trial.set_last_step(50);
    trial.set_total_steps(100);
    trial.mutable_start_time()->set_seconds(990);
    (*trial.mutable_last_points())["train_loss"] = 2.5;
    v1::Param& param = *trial.add_params();
    param.set_name("n_embd");
    param.mutable_value()->set_int_value(64);
    if (state == v1::TRIAL_STATE_COMPLETE) trial.add_values(value);
    return board_.Apply(event, now_);
  }
  std::string Drawn(int width = 120, int height = 24) {
    std::string out;
    for (const std::string& line : board_.Frame(width, height, false, now_)) out += line + "\n";
    return out;
  }

  Board board_;
  absl::Time now_ = absl::FromUnixSeconds(5000);  // Another clock than the server's.
};

TEST_F(BoardTest, TellsEachChangeOnce) {
  EXPECT_THAT(Study(v1::STUDY_STATE_ACTIVE), ElementsAre("study demo is active"));
  EXPECT_THAT(Study(v1::STUDY_STATE_ACTIVE), IsEmpty());
  EXPECT_THAT(Trial(0, v1::TRIAL_STATE_RUNNING), ElementsAre("trial 0 started: n_embd=64"));
  EXPECT_THAT(Trial(0, v1::TRIAL_STATE_RUNNING), IsEmpty());
}

TEST_F(BoardTest, SaysValueAndWhetherItIsTheBest) {
  Study(v1::STUDY_STATE_ACTIVE);
  EXPECT_THAT(Trial(0, v1::TRIAL_STATE_COMPLETE, 2.0),
              ElementsAre("trial 0 is complete, val_loss 2 (best so far)"));
  EXPECT_THAT(Trial(1, v1::TRIAL_STATE_COMPLETE, 3.0),
              ElementsAre("trial 1 is complete, val_loss 3"));
}

TEST_F(BoardTest, AReplayedEventDoesNotReviveAnEndedTrial) {
  Study(v1::STUDY_STATE_ACTIVE);
  Trial(0, v1::TRIAL_STATE_COMPLETE, 2.0);
  EXPECT_THAT(Trial(0, v1::TRIAL_STATE_RUNNING), IsEmpty());
  EXPECT_EQ(board_.CurrentProgress(now_).ended, 1);
}

TEST_F(BoardTest, CountsTimeByTheServersClock) {
  Study(v1::STUDY_STATE_ACTIVE);
  Trial(0, v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(board_.CurrentProgress(now_).elapsed, absl::Seconds(10));
  EXPECT_EQ(board_.CurrentProgress(now_ + absl::Seconds(5)).elapsed, absl::Seconds(15));
}

TEST_F(BoardTest, DrawsBarTrialsAndBest) {
  Study(v1::STUDY_STATE_ACTIVE);
  Trial(0, v1::TRIAL_STATE_COMPLETE, 1.5);
  Trial(1, v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(Drawn(),
            "demo [#######.............] 1/4 trials, 1 running  10s, about 16s left\n"
            "  trial 1 [#####.....] step 50/100  train_loss 2.5  n_embd=64\n"
            "  best: trial 0  val_loss 1.5  n_embd=64\n");
}

TEST_F(BoardTest, NoLineIsWiderThanTheTerminal) {
  Study(v1::STUDY_STATE_ACTIVE);
  for (int i = 0; i < 5; ++i) Trial(i, v1::TRIAL_STATE_RUNNING);
  for (const std::string& line : board_.Frame(30, 24, true, now_)) {
    EXPECT_LE(DisplayWidth(line), 30u) << line;
  }
}

TEST_F(BoardTest, AFrameStaysBelowTheTerminalsHeight) {
  Study(v1::STUDY_STATE_ACTIVE);
  for (int i = 0; i < 40; ++i) Trial(i, v1::TRIAL_STATE_RUNNING);
  EXPECT_LE(board_.Frame(80, 10, false, now_).size(), 10u);
  EXPECT_THAT(Drawn(80, 10), HasSubstr("more running"));
}

TEST_F(BoardTest, KnowsWhenItIsOverAndWhy) {
  Study(v1::STUDY_STATE_ACTIVE);
  EXPECT_FALSE(board_.ended());
  EXPECT_THAT(Study(v1::STUDY_STATE_FAILED, "no\x1b way"),
              ElementsAre("study demo is failed: no\\x1b way"));
  EXPECT_TRUE(board_.ended());
  EXPECT_THAT(Drawn(), Not(HasSubstr("left")));
}

TEST_F(BoardTest, TheSummaryIsOneLine) {
  Study(v1::STUDY_STATE_ACTIVE);
  Trial(0, v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(board_.Summary(now_),
            "0/4 trials, 1 running, 10s, about 1m10s left; trial 0 step 50/100 train_loss 2.5");
}

}  // namespace
}  // namespace vlm::client
