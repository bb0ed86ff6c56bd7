// Study and fleet commands against a real coordinator.
#include <fstream>

#include "common/config/config.h"
#include "gmock/gmock.h"
#include "tests/client/fake_worker.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class CommandsTest : public ProgramTest {};

TEST_F(CommandsTest, StatusFitsOneScreenAndHasStableKeys) {
  const Json status = Vlmctl({"status", "-o", "json"}).json();
  EXPECT_EQ(status["addr"], addr_);
  EXPECT_EQ(status["pid"], coordinator_->pid());
  EXPECT_GT(status["rss_bytes"], 0);
  const std::string text = Vlmctl({"status"}).out;
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24);
}

TEST_F(CommandsTest, StudiesAreFoundByNameIdAndPrefix) {
  Seed({});
  const std::string id = std::to_string(
      Vlmctl({"study", "get", "demo", "-o", "json"}).json()["study_id"].get<int64_t>());
  for (const std::string& text : {std::string("demo"), id, std::string("de"), std::string()}) {
    const Ran ran = Vlmctl({"study", "get", text, "-o", "name"});
    EXPECT_EQ(ran.out, "demo\n") << text << ran.err;
  }
}

TEST_F(CommandsTest, AnUnknownStudyIs3AndAnAmbiguousPrefix2) {
  Seed({});
  EXPECT_EQ(Vlmctl({"study", "get", "nope"}).code, 3);
  ASSERT_EQ(Vlmctl({"submit", SearchFile(), "--name", "demo2", "--no-follow"}).code, 0);
  const Ran ran = Vlmctl({"study", "get", "dem"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("demo, demo2"));
}

TEST_F(CommandsTest, BestPrintsTrialParametersAndWhatToDoNext) {
  Seed({3.0, 1.5, 2.0});
  const Ran ran = Vlmctl({"study", "best"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("demo/1\n"));
  EXPECT_THAT(ran.out, HasSubstr("1.5 (val_loss)"));
  EXPECT_THAT(ran.out, HasSubstr("learning_rate = "));
  EXPECT_THAT(ran.out, HasSubstr("--params-only -o yaml | vlmctl submit -"));
}

TEST_F(CommandsTest, BestWithoutACompleteTrialIsAWrongState) {
  Seed({});
  EXPECT_EQ(Vlmctl({"study", "best", "demo"}).code, 4);
}

TEST_F(CommandsTest, ParamsOnlyAsYamlIsASubmitOfThatTrial) {
  Seed({3.0, 1.5});
  const Json best = Vlmctl({"study", "best", "demo", "-o", "json"}).json();
  const Ran yaml = Vlmctl({"study", "best", "demo", "--params-only", "-o", "yaml"});
  const config::LoadResult loaded = config::Load(yaml.out, "/x.yaml", {}, true);
  ASSERT_TRUE(loaded.ok()) << yaml.out;
  EXPECT_FALSE(loaded.spec.hyperparameter_tuning());
  EXPECT_EQ(loaded.spec.train().learning_rate(), best["params"]["learning_rate"].get<double>());
  EXPECT_EQ(loaded.spec.train().n_embd(), best["params"]["n_embd"].get<int64_t>());
  const Ran again = Vlmctl({"submit", Write("best.yaml", yaml.out), "--no-follow", "-o", "json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.json()["n_trials"], 1);
}

TEST_F(CommandsTest, SeveralBestComeInOrder) {
  Seed({3.0, 1.5, 2.0});
  const Json best = Vlmctl({"study", "best", "-n", "2", "-o", "json"}).json();
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0]["values"][0], 1.5);
  EXPECT_EQ(best[1]["values"][0], 2.0);
}

TEST_F(CommandsTest, PauseResumeAndCancelChangeTheState) {
  Seed({});
  const auto state = [&] { return Vlmctl({"study", "get", "demo", "-o", "json"}).json()["state"]; };
  EXPECT_EQ(Vlmctl({"study", "pause", "demo"}).code, 0);
  EXPECT_EQ(state(), "paused");
  EXPECT_EQ(Vlmctl({"study", "resume", "demo"}).code, 0);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(Vlmctl({"study", "cancel", "demo", "--yes"}).code, 0);
  EXPECT_EQ(state(), "cancelled");
  EXPECT_EQ(Vlmctl({"study", "resume", "demo"}).code, 4);
}

TEST_F(CommandsTest, DeletingAsksAndWithoutTerminalNeedsYes) {
  Seed({1.0});
  auto asked = Spawn({"study", "delete", "demo"});  // Its stdin is no terminal.
  EXPECT_EQ(*asked->Wait(), 2);
  EXPECT_THAT(asked->Stderr(), HasSubstr("--yes"));
  EXPECT_EQ(Vlmctl({"study", "get", "demo"}).code, 0);
  EXPECT_EQ(Vlmctl({"study", "delete", "demo", "--yes"}).code, 0);
  EXPECT_EQ(Vlmctl({"study", "get", "demo"}).code, 3);
}

TEST_F(CommandsTest, WorkersAreListedWithTheirSlots) {
  FakeWorker worker(addr_, 3);
  ASSERT_TRUE(vlm::testing::Eventually(absl::Seconds(20), [&] {
    return Vlmctl({"worker", "list", "-o", "name"}).out == "fake\n";
  }));
  const Json list = Vlmctl({"worker", "list", "-o", "json"}).json();
  EXPECT_EQ(list[0]["slots"].size(), 3u);
  EXPECT_EQ(list[0]["free_slots"], 3);
}

TEST_F(CommandsTest, TimeoutEndsWith124) {
  Seed({});
  const Ran ran = Vlmctl({"study", "watch", "demo", "--timeout", "0.3"});
  EXPECT_EQ(ran.code, 124);
  EXPECT_THAT(ran.err, HasSubstr("vlmctl study watch demo"));
}

TEST_F(CommandsTest, HistoryIsPlottedAsSvgAndPng) {
  Seed({3.0, 1.5, 2.0});
  for (const std::string& file : {dir_ / "h.svg", dir_ / "h.png"}) {
    EXPECT_EQ(Vlmctl({"plot", "history", "demo", "--out", file}).out, file + "\n");
    EXPECT_TRUE(std::ifstream(file).good());
  }
  EXPECT_EQ(Vlmctl({"plot", "history", "demo", "--out", dir_ / "h.gif"}).code, 2);
}

TEST_F(CommandsTest, ShapesAreWritten) {
  const Ran ran = Vlmctl({"data", "shapes", "--out", dir_ / "shapes", "--n", "3", "--seed", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, dir_ / "shapes/captions.csv\n");
  EXPECT_TRUE(std::ifstream(dir_ / "shapes/captions.csv").good());
}

}  // namespace
}  // namespace vlm::client
