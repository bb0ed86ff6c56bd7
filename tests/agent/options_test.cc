#include "worker/agent/options.h"

#include <cstdlib>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

using ::testing::HasSubstr;

class OptionsTest : public ::testing::Test {
 protected:
  absl::StatusOr<AgentOptions> Read(std::vector<std::string> args) {
    args.insert(args.begin(), "vlm-worker");
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    return ReadOptions(static_cast<int>(argv.size()), argv.data());
  }
  std::string File(const std::string& text) {
    std::ofstream(dir_ / "worker.yaml") << text;
    return dir_ / "worker.yaml";
  }
  testing::TempDir dir_;
};

TEST_F(OptionsTest, FlagBeatsVariableBeatsFile) {
  const std::string file = File("name: file\nslots: 3\nwarm: 1\n");
  setenv("VLM_WORKER_NAME", "variable", 1);
  setenv("VLM_WORKER_SLOTS", "4", 1);
  const auto options = Read({"--config", file, "--name", "flag"});
  unsetenv("VLM_WORKER_NAME");
  unsetenv("VLM_WORKER_SLOTS");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->name, "flag");
  EXPECT_EQ(options->slots, 4);
  EXPECT_EQ(options->warm, 1);
}

TEST_F(OptionsTest, FileOfTheProjectIsGood) {
  auto options = Read({"--config", testing::SourceFile("configs/worker.yaml")});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->coordinator, "127.0.0.1:7747");
  EXPECT_TRUE(CompleteOptions(&*options).ok());
}

TEST_F(OptionsTest, UnknownKeyIsNamedWithItsLine) {
  const auto options = Read({"--config", File("slots: 1\nslotz: 2\n")});
  EXPECT_THAT(std::string(options.status().message()), HasSubstr(":2: unknown key \"slotz\""));
}

TEST_F(OptionsTest, ValueOutOfRangeIsNamedInFlagAndFile) {
  EXPECT_THAT(std::string(Read({"--slots", "0"}).status().message()), HasSubstr("--slots"));
  EXPECT_THAT(std::string(Read({"--config", File("slots: many\n")}).status().message()),
              HasSubstr("--slots"));
}

TEST_F(OptionsTest, BrokenFileIsAnErrorNotACrash) {
  EXPECT_FALSE(Read({"--config", File("a: [1\n")}).ok());
  EXPECT_FALSE(Read({"--config", File("- list\n")}).ok());
  EXPECT_FALSE(Read({"--config", dir_ / "none.yaml"}).ok());
}

TEST_F(OptionsTest, OtherMachinesNeedTheInsecureFlag) {
  AgentOptions options;
  options.coordinator = "10.1.2.3:7747";
  EXPECT_THAT(std::string(CompleteOptions(&options).message()), HasSubstr("--insecure"));
  options.insecure = true;
  EXPECT_TRUE(CompleteOptions(&options).ok());
}

TEST_F(OptionsTest, WithoutCoordinatorNothingStarts) {
  AgentOptions options;
  EXPECT_THAT(std::string(CompleteOptions(&options).message()), HasSubstr("--coordinator"));
  options.coordinator = "nonsense";
  EXPECT_FALSE(CompleteOptions(&options).ok());
}

TEST_F(OptionsTest, StateGoesWhereTheUserKeepsIt) {
  setenv("XDG_STATE_HOME", "/somewhere", 1);
  AgentOptions options;
  options.coordinator = "unix:/run/vlmctl.sock";
  ASSERT_TRUE(CompleteOptions(&options).ok());
  unsetenv("XDG_STATE_HOME");
  EXPECT_EQ(options.work_dir, "/somewhere/vlmctl/worker");
  EXPECT_EQ(options.address, "127.0.0.1");
}

}  // namespace
}  // namespace vlm::agent
