// Several ranks as real processes.
#include <csignal>

#include "tests/trainer/support/standalone_run.h"

namespace vlm::trainer {
namespace {

// The projector's dropout is a part of the model that no key switches off, and ranks draw masks of
// their own: losses agree to 1e-3 here, gradients without dropout to 1e-6 in gradients_test.cc.
class RanksTest : public testing::StandaloneTest {
 protected:
  static constexpr double kTolerance = 1e-3;
  void ExpectTheSameTraining(const std::vector<std::string>& arguments) {
    const auto one = Start({});
    ASSERT_EQ(*one->Wait(absl::Seconds(60)), 0) << one->Stderr();
    const auto two = Start(arguments);
    ASSERT_EQ(*two->Wait(absl::Seconds(60)), 0) << two->Stderr();
    EXPECT_THAT(Losses(*two),
                ::testing::Pointwise(::testing::DoubleNear(kTolerance), Losses(*one)));
    const auto ones = Lines(*one);
    const auto twos = Lines(*two);
    EXPECT_NEAR(twos.back().at("val_loss"), ones.back().at("val_loss"), kTolerance);
    const double norm = ones[0].at("grad_norm");  // Adam itself hides a wrong scale.
    EXPECT_NEAR(twos[0].at("grad_norm"), norm, 0.01 * norm);
  }
};

TEST_F(RanksTest, TwoRanksTrainAsOneDoes) { ExpectTheSameTraining({"--world-size", "2"}); }

TEST_F(RanksTest, AccumulationOverRanksTrainsAsOneDoes) {
  ExpectTheSameTraining({"--world-size", "2", "--set", "optimizer.accumulation_steps=2"});
}

// Each rank's generator is in the file, so even dropout masks go on.
TEST_F(RanksTest, TwoRanksGoOnBitForBitFromACheckpoint) {
  const auto whole = Start({"--world-size", "2", "--set", "checkpoint.every_steps=3"});
  ASSERT_EQ(*whole->Wait(absl::Seconds(60)), 0) << whole->Stderr();
  const auto rest =
      Start({"--world-size", "2", "--resume", dir_ / "out/step-00000003.safetensors"});
  ASSERT_EQ(*rest->Wait(absl::Seconds(60)), 0) << rest->Stderr();
  const std::vector<double> losses = Losses(*whole);
  ASSERT_EQ(losses.size(), 6u);
  EXPECT_THAT(Losses(*rest), ::testing::ElementsAre(losses[3], losses[4], losses[5]));
}

TEST_F(RanksTest, AKilledRankEndsTheOthersAtOnce) {
  const auto process = Start({"--world-size", "2", "--set", "max_iters=1000000"});
  ASSERT_TRUE(process->WaitForLine("{\"step\":3,", absl::Seconds(60)).ok()) << process->Stderr();
  std::vector<pid_t> ranks;
  for (const pid_t pid : vlm::testing::FindProcesses(dir_ / "config.yaml")) {
    if (pid != process->pid()) ranks.push_back(pid);
  }
  ASSERT_EQ(ranks.size(), 2u);
  kill(ranks[1], SIGKILL);
  const auto code = process->Wait(absl::Seconds(10));
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 1);
  EXPECT_FALSE(vlm::testing::IsAlive(ranks[0]));
}

TEST_F(RanksTest, ASignalStopsAllRanksAtTheSameStep) {
  const auto process = Start({"--world-size", "2", "--set", "max_iters=1000000"});
  ASSERT_TRUE(process->WaitForLine("{\"step\":3,", absl::Seconds(60)).ok()) << process->Stderr();
  kill(-process->pid(), SIGINT);
  EXPECT_EQ(*process->Wait(absl::Seconds(20)), 0) << process->Stderr();
  EXPECT_THAT(process->Stderr(), ::testing::HasSubstr("checkpoint of step"));
}

TEST_F(RanksTest, AnErrorOfTheDataIsExit2OnEveryRank) {
  const auto process = Start({"--world-size", "2", "--set", "input_path=/nowhere/x.csv"});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2) << process->Stderr();
}

}  // namespace
}  // namespace vlm::trainer
