// Arguments: what is refused, what is suggested, what the help has. No coordinator runs.
#include "client/cli.h"

#include <fstream>
#include <functional>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_STATE_HOME", dir_.path().c_str(), 1);
    setenv("VLMCTL_CONFIG", (dir_ / "none.yaml").c_str(), 1);
    unsetenv("VLMCTL_ADDR");
  }
  int Run(std::vector<std::string> args) {
    out_.str("");
    err_.str("");
    Cli cli;
    return cli.Run(std::move(args), {out_, err_});
  }
  vlm::testing::TempDir dir_;
  std::ostringstream out_, err_;
};

TEST_F(CliTest, AMistypedCommandIsSuggested) {
  EXPECT_EQ(Run({"sbumit", "x.yaml"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean `vlmctl submit`?"));
  EXPECT_EQ(Run({"--addr", "h:1", "trial", "lgos", "x"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean `vlmctl trial logs`?"));
}

TEST_F(CliTest, AMistypedFlagIsSuggested) {
  EXPECT_EQ(Run({"submit", "x.yaml", "--dryrun"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean --dry-run?"));
  EXPECT_EQ(Run({"study", "list", "--adr=x:1"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean --addr?"));
}

TEST_F(CliTest, NothingOnStdoutWhenArgumentsAreWrong) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"nonsense"},
                                             {"submit"},
                                             {"study", "get", "a", "b"},
                                             {"trial", "metrics", "a/1", "--max-points", "x"},
                                             {"up", "--slots", "0"},
                                             {"study", "list", "-o", "xml"},
                                             {"study", "list", "--timeout", "soon"},
                                             {"submit", "a", "--follow", "--no-follow"},
                                             {"study"},
                                             {}}) {
    EXPECT_EQ(Run(args), kUsage) << ::testing::PrintToString(args);
    EXPECT_EQ(out_.str(), "");
    EXPECT_NE(err_.str(), "");
  }
}

TEST_F(CliTest, HelpIsDataAndEndsWell) {
  EXPECT_EQ(Run({"--help"}), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("Exit codes:"));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CliTest, EveryCommandsHelpHasAnExampleThatNamesIt) {
  Cli cli;
  const std::function<void(const CLI::App&, const std::string&)> check =
      [&](const CLI::App& app, const std::string& path) {
        if (app.get_parent() != nullptr) {
          EXPECT_THAT(app.help(), HasSubstr("Example:\n  ")) << path;
          EXPECT_THAT(app.get_footer(), HasSubstr(path)) << path;
          EXPECT_NE(app.get_description(), "") << path;
        }
        for (const CLI::App* sub : app.get_subcommands({})) {
          check(*sub, path + " " + sub->get_name());
        }
      };
  check(cli.root(), "vlmctl");
}

TEST_F(CliTest, EveryFlagIsExplained) {
  Cli cli;
  const std::function<void(const CLI::App&)> check = [&](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options({})) {
      EXPECT_NE(option->get_description(), "") << app.get_name() << " " << option->get_name();
    }
    for (const CLI::App* sub : app.get_subcommands({})) check(*sub);
  };
  check(cli.root());
}

TEST_F(CliTest, WithoutCoordinatorReadingSaysHowToGetOne) {
  EXPECT_EQ(Run({"study", "list"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("no coordinator: run `vlmctl up` or pass --addr"));
}

TEST_F(CliTest, AnUnreachableCoordinatorIsNamed) {
  EXPECT_EQ(Run({"status", "--addr", "unix:" + (dir_ / "no.sock")}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("no.sock (--addr)"));
}

TEST_F(CliTest, AFileThatCannotBeReadIsAUsageError) {
  EXPECT_EQ(Run({"submit", dir_ / "none.yaml"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("cannot read"));
  EXPECT_EQ(Run({"submit", dir_.path()}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("is a folder"));
}

TEST_F(CliTest, ATokenNeverTravelsInTheClear) {
  std::ofstream(dir_ / "token") << "secret";
  setenv("VLMCTL_TOKEN_FILE", (dir_ / "token").c_str(), 1);
  EXPECT_EQ(Run({"status", "--addr", "far.example:7747"}), kUsage);
  unsetenv("VLMCTL_TOKEN_FILE");
  EXPECT_THAT(err_.str(), HasSubstr("in the clear"));
}

TEST(ExitCodeTest, FollowsTheTable) {
  const std::vector<std::pair<absl::StatusCode, int>> table = {
      {absl::StatusCode::kOk, 0},
      {absl::StatusCode::kUnknown, 1},
      {absl::StatusCode::kInternal, 1},
      {absl::StatusCode::kDataLoss, 1},
      {absl::StatusCode::kResourceExhausted, 1},
      {absl::StatusCode::kInvalidArgument, 2},
      {absl::StatusCode::kNotFound, 3},
      {absl::StatusCode::kAlreadyExists, 4},
      {absl::StatusCode::kFailedPrecondition, 4},
      {absl::StatusCode::kAborted, 4},
      {absl::StatusCode::kUnauthenticated, 5},
      {absl::StatusCode::kPermissionDenied, 5},
      {absl::StatusCode::kUnavailable, 6},
      {absl::StatusCode::kDeadlineExceeded, 124},
      {absl::StatusCode::kCancelled, 130}};
  for (const auto& [code, expected] : table) EXPECT_EQ(ExitCodeOf(code), expected) << code;
}

TEST(DurationFlagTest, TakesUnitsOrSeconds) {
  EXPECT_EQ(*ParseDurationText("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDurationText("2.5"), absl::Seconds(2.5));
  for (const char* text : {"", "0", "-3s", "inf", "5 minutes", "nan"}) {
    EXPECT_FALSE(ParseDurationText(text).ok()) << text;
  }
}

}  // namespace
}  // namespace vlm::client
