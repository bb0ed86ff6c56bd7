#include "client/context.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class ContextTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("VLMCTL_CONFIG", File().c_str(), 1); }
  void TearDown() override {
    for (const char* name : {"VLMCTL_CONFIG", "VLMCTL_ADDR", "VLMCTL_CONTEXT", "VLMCTL_CACERT"}) {
      unsetenv(name);
    }
  }
  std::string File() const { return dir_ / "config.yaml"; }
  void Write(const std::string& text) { std::ofstream(File(), std::ios::trunc) << text; }
  void WriteTwo() {
    Write("current: a\ncontexts:\n  a: {addr: 'a:1', cacert: ca.pem}\n  b: {addr: 'b:2'}\n");
  }
  vlm::testing::TempDir dir_;
};

TEST_F(ContextTest, WithoutFileNothingIsConfigured) {
  const auto target = ConfiguredTarget("", "");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->addr, "");
}

TEST_F(ContextTest, FlagBeatsEnvironmentBeatsContext) {
  WriteTwo();
  EXPECT_EQ(ConfiguredTarget("", "")->addr, "a:1");
  setenv("VLMCTL_CONTEXT", "b", 1);
  EXPECT_EQ(ConfiguredTarget("", "")->addr, "b:2");
  EXPECT_EQ(ConfiguredTarget("", "a")->addr, "a:1");
  setenv("VLMCTL_ADDR", "env:3", 1);
  EXPECT_EQ(ConfiguredTarget("", "a")->addr, "env:3");
  EXPECT_EQ(ConfiguredTarget("flag:4", "")->addr, "flag:4");
}

TEST_F(ContextTest, TlsVariablesBeatTheContexts) {
  WriteTwo();
  EXPECT_EQ(ConfiguredTarget("", "")->cacert, "ca.pem");
  setenv("VLMCTL_CACERT", "other.pem", 1);
  EXPECT_EQ(ConfiguredTarget("", "")->cacert, "other.pem");
}

TEST_F(ContextTest, AContextThatIsNotThereIsNotFound) {
  WriteTwo();
  EXPECT_EQ(ConfiguredTarget("", "c").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ContextTest, FaultsOfTheFileNameLineAndKey) {
  Write("contexts:\n  a:\n    adr: x\n");
  const auto loaded = LoadContexts(File());
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(loaded.status().message()),
              HasSubstr("config.yaml:3: unknown key \"adr\""));
  for (const char* text : {"- a", "contexts: 3", "contexts: {a: {}}", "a: [", "{\x01"}) {
    Write(text);
    EXPECT_EQ(LoadContexts(File()).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST_F(ContextTest, SavingReadsBackAndIsPrivate) {
  ContextFile file;
  file.path = File();
  file.current = "x: y";
  file.contexts["x: y"].addr = "host:1";
  file.contexts["x: y"].token_file = "t\"o";
  ASSERT_TRUE(SaveContexts(file).ok());
  const auto loaded = LoadContexts(File());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->current, "x: y");
  EXPECT_EQ(loaded->contexts.at("x: y").token_file, "t\"o");
}

}  // namespace
}  // namespace vlm::client
