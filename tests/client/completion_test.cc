#include "client/completion.h"

#include <fstream>

#include "client/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

// What bash would offer for a command line whose last word is being typed.
std::string Complete(const std::string& words) {
  Cli cli;
  vlm::testing::TempDir dir;
  std::ofstream(dir / "c.bash") << *CompletionScript(cli.root(), "bash");
  auto shell = vlm::testing::Process::Start(
      {"/bin/bash", "-c",
       "source " + (dir / "c.bash") + "; COMP_WORDS=(" + words +
           "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _vlmctl; echo \"offer: ${COMPREPLY[*]}\""});
  const auto line = (*shell)->WaitForLine("offer: ");
  return line.ok() ? *line : line.status().ToString();
}

TEST(CompletionTest, BashOffersCommandsOfTheGroup) {
  EXPECT_EQ(Complete("vlmctl study pa"), "pause");
  EXPECT_THAT(Complete("vlmctl ''"), HasSubstr("submit"));
  EXPECT_THAT(Complete("vlmctl --addr x:1 trial ''"), HasSubstr("metrics"));
}

TEST(CompletionTest, BashOffersFlagsOfTheCommandAndTheGlobalOnes) {
  EXPECT_EQ(Complete("vlmctl submit --dr"), "--dry-run");
  EXPECT_EQ(Complete("vlmctl submit --addr x:1 --time"), "--timeout");
  EXPECT_EQ(Complete("vlmctl study list -o js"), "json");
}

TEST(CompletionTest, FishAndZshKnowEveryCommand) {
  Cli cli;
  for (const char* shell : {"fish", "zsh"}) {
    const std::string script = *CompletionScript(cli.root(), shell);
    for (const CLI::App* sub : cli.root().get_subcommands({})) {
      EXPECT_THAT(script, HasSubstr(sub->get_name())) << shell;
    }
  }
}

TEST(CompletionTest, AnotherShellIsRefused) {
  Cli cli;
  EXPECT_EQ(CompletionScript(cli.root(), "tcsh").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::client
