// vlm-trainer as people start it: output, exit codes, messages.
#include <csignal>
#include <filesystem>

#include "tests/trainer/support/standalone_run.h"

namespace vlm::trainer {
namespace {

using ::testing::HasSubstr;

class ProgramTest : public testing::StandaloneTest {
 protected:
  void ExpectUserError(const Process& process, const std::string& part) {
    EXPECT_THAT(process.Stderr(), HasSubstr(part));
    EXPECT_EQ(process.Stdout(), "");
  }
};

TEST_F(ProgramTest, PrintsOneObjectAStep) {
  const auto process = Start({});
  ASSERT_EQ(*process->Wait(absl::Seconds(60)), 0) << process->Stderr();
  const auto lines = Lines(*process);
  ASSERT_EQ(lines.size(), 6u);
  for (const char* key : {"step", "loss", "lr", "grad_norm", "samples_per_s", "tokens_per_s"}) {
    EXPECT_TRUE(lines[0].at(key).is_number()) << key;
  }
  EXPECT_EQ(lines[0].at("phase_ms").size(), 9u);
  EXPECT_FALSE(lines[1].contains("val_loss"));
  EXPECT_TRUE(lines[2].contains("val_loss"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "out/step-00000006.safetensors"));
}

TEST_F(ProgramTest, SetBeatsTheFile) {
  const auto process = Start({"--set", "max_iters=2", "--set", "batch_size=2"});
  ASSERT_EQ(*process->Wait(absl::Seconds(60)), 0) << process->Stderr();
  EXPECT_EQ(Lines(*process).size(), 2u);
}

TEST_F(ProgramTest, AWrongKeyIsExit2WithItsPlace) {
  const auto process = Start({"--set", "batch_sice=2"});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2);
  ExpectUserError(*process, "batch_sice");
}

TEST_F(ProgramTest, MissingDataAreExit2) {
  const auto process = Start({"--set", "input_path=/nowhere/x.csv"});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2);
  ExpectUserError(*process, "/nowhere/x.csv");
}

TEST_F(ProgramTest, ABadRowIsExit2AndNamed) {
  std::ofstream(dir_ / "bad.csv") << "image_path,caption\nshapes/pictures/none.png,a\n";
  const auto process = Start({"--set", "input_path=" + dir_ / "bad.csv"});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2);
  ExpectUserError(*process, "row");
}

TEST_F(ProgramTest, WithoutAModeItSaysWhatIsMissing) {
  const auto process = Run({vlm::testing::Binary("vlm-trainer")});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2);
  ExpectUserError(*process, "--standalone");
}

TEST_F(ProgramTest, ASignalEndsItWithACheckpoint) {
  const auto process = Start({"--set", "max_iters=1000000"});
  ASSERT_TRUE(process->WaitForLine("{\"step\":3,", absl::Seconds(60)).ok());
  process->Signal(SIGINT);
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 0);
  EXPECT_THAT(process->Stderr(), HasSubstr("checkpoint of step"));
}

TEST_F(ProgramTest, WritesACaptionFromACheckpoint) {
  const auto training = Start({});
  ASSERT_EQ(*training->Wait(absl::Seconds(60)), 0) << training->Stderr();
  const auto process =
      Run({vlm::testing::Binary("vlm-trainer"), "--generate", "--ckpt",
           dir_ / "out/step-00000006.safetensors", "--image", dir_ / "shapes/pictures/00000.png",
           "--prompt", "a ", "--max-new", "5"});
  ASSERT_EQ(*process->Wait(absl::Seconds(60)), 0) << process->Stderr();
  EXPECT_THAT(process->Stdout(), ::testing::StartsWith("a "));
}

TEST_F(ProgramTest, ACharacterTheModelNeverSawIsExit2) {
  const auto training = Start({});
  ASSERT_EQ(*training->Wait(absl::Seconds(60)), 0) << training->Stderr();
  const auto process = Run({vlm::testing::Binary("vlm-trainer"), "--generate", "--ckpt",
                            dir_ / "out/step-00000006.safetensors", "--image",
                            dir_ / "shapes/pictures/00000.png", "--prompt", "Ω"});
  EXPECT_EQ(*process->Wait(absl::Seconds(60)), 2);
  EXPECT_THAT(process->Stderr(), HasSubstr("prompt"));
}

}  // namespace
}  // namespace vlm::trainer
