#include <fstream>

#include "common/config/config.h"
#include "gmock/gmock.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SubmitTest : public ProgramTest {};

TEST_F(SubmitTest, EveryFaultIsNamedAndNothingIsCreated) {
  const std::string file =
      Write("bad.yaml", "input_path: x.csv\nlearning_rte: 3\nbatch_size: -1\nepochs: many\n");
  const Ran ran = Vlmctl({"submit", file});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr(file + ":2:1: error: learning_rte"));
  EXPECT_THAT(ran.err, HasSubstr("did you mean \"learning_rate\"?"));
  EXPECT_THAT(ran.err, HasSubstr(file + ":3:"));
  EXPECT_THAT(ran.err, HasSubstr(file + ":4:"));
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "json"}).json().size(), 0u);
}

TEST_F(SubmitTest, PrintsTheStudyThatItCreated) {
  const Ran ran = Vlmctl({"submit", SearchFile(), "--no-follow", "-o", "json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["n_trials"], 6);
  EXPECT_EQ(ran.json()["state"], "active");
  EXPECT_THAT(ran.err, HasSubstr("was created (6 trials, 2 searched keys)"));
}

TEST_F(SubmitTest, ADryRunCreatesNothing) {
  const Ran ran = Vlmctl({"submit", SearchFile(), "--dry-run"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("would create"));
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "name"}).out, "");
}

TEST_F(SubmitTest, ATakenNameIsAConflictUnlessItMayExist) {
  const std::vector<std::string> submit = {"submit", SearchFile(), "--name", "n", "--no-follow"};
  ASSERT_EQ(Vlmctl(submit).code, 0);
  EXPECT_EQ(Vlmctl(submit).code, 4);
  std::vector<std::string> again = submit;
  again.push_back("--if-not-exists");
  const Ran ran = Vlmctl(again);
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("exists already"));
}

TEST_F(SubmitTest, OneRequestIdMakesOneStudy) {
  const std::vector<std::string> submit = {"submit", SearchFile(), "--no-follow", "--request-id",
                                           "5f0c",   "-o",         "name"};
  const Ran first = Vlmctl(submit);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(Vlmctl(submit).out, first.out);
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "json"}).json().size(), 1u);
}

TEST_F(SubmitTest, OverridesBeatTheFile) {
  const Ran ran = Vlmctl({"submit", SearchFile(), "--set", "n_trials=3", "--set",
                          "study.parallelism=2", "--no-follow", "-o", "json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["n_trials"], 3);
  EXPECT_EQ(ran.json()["parallelism"], 2);
}

TEST_F(SubmitTest, AnOverrideDoesNotEatTheFile) {
  const Ran ran = Vlmctl({"submit", "--set", "n_trials=3", SearchFile(), "--set",
                          "study.parallelism=2", "--dry-run", "-o", "json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["parallelism"], 2);
}

TEST_F(SubmitTest, PausedDoesNotFollow) {
  const Ran ran = Vlmctl({"submit", SearchFile(), "--paused", "-o", "json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["state"], "paused");
}

TEST_F(SubmitTest, IsSentAgainWhenTheCoordinatorComesBack) {
  coordinator_->Kill();
  auto submit = Spawn({"submit", SearchFile(), "--name", "late", "--no-follow", "-o", "name"});
  StartCoordinator();
  const auto code = submit->Wait();
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(*code, 0) << submit->Stderr();
  EXPECT_EQ(submit->Stdout(), "late\n");
}

TEST_F(SubmitTest, ValidateFindsTheSameFaults) {
  const std::string file = Write("bad.yaml", "input_path: x.csv\nlearning_rte: 3\n");
  const Ran ran = Vlmctl({"validate", file, "-o", "json"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.json()[0]["line"], 2);
  EXPECT_EQ(ran.json()[0]["severity"], "error");
}

TEST_F(SubmitTest, TheEffectiveConfigurationIsValidInput) {
  const Ran ran = Vlmctl({"validate", SearchFile(), "--print-effective"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const config::LoadResult loaded = config::Load(ran.out, "/x.yaml");
  EXPECT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.spec.search_space_size(), 2);
}

TEST_F(SubmitTest, WaitEndsWith7WhenTheStudyWasCancelled) {
  auto submit = Spawn({"submit", SearchFile(), "--name", "demo", "--no-follow", "--wait"});
  ASSERT_TRUE(vlm::testing::Eventually(absl::Seconds(20), [&] {
    return Vlmctl({"study", "get", "demo"}).code == 0;
  }));
  EXPECT_EQ(Vlmctl({"study", "cancel", "demo", "--yes"}).code, 0);
  const auto code = submit->Wait();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 7) << submit->Stderr();
}

}  // namespace
}  // namespace vlm::client
