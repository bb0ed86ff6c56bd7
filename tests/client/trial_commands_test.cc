// Trial commands against a study that a fake worker has trained.
#include <fstream>

#include "gmock/gmock.h"
#include "tests/client/fake_worker.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TrialCommandsTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    Seed({});
    worker_ = std::make_unique<FakeWorker>(addr_, 1);
    const v1::Offer offer = worker_->NextStarted();
    ASSERT_NE(offer.attempt_id(), 0);
    ASSERT_TRUE(worker_->RunTrial(offer, 1.25));
  }
  std::unique_ptr<FakeWorker> worker_;
};

TEST_F(TrialCommandsTest, ListShowsStateValueAndParameters) {
  const Json list = Vlmctl({"trial", "list", "demo", "--state", "complete", "-o", "json"}).json();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["values"][0], 1.25);
  EXPECT_EQ(list[0]["study"], "demo");
  EXPECT_TRUE(list[0]["params"].contains("learning_rate"));
  EXPECT_EQ(Vlmctl({"trial", "list", "demo", "--state", "complet"}).code, 2);
}

TEST_F(TrialCommandsTest, GetShowsAttempts) {
  const Json trial = Vlmctl({"trial", "get", "demo/0", "-o", "json"}).json();
  EXPECT_EQ(trial["attempts"][0]["state"], "succeeded");
  EXPECT_EQ(trial["attempts"][0]["placements"][0]["worker_id"], "fake-worker");
  EXPECT_THAT(Vlmctl({"trial", "get", "demo/0"}).out, HasSubstr("ATTEMPT"));
  EXPECT_EQ(Vlmctl({"trial", "get", "demo/99"}).code, 3);
  EXPECT_EQ(Vlmctl({"trial", "get", "nonsense"}).code, 2);
}

TEST_F(TrialCommandsTest, LogsAreHarmlessOnATerminal) {
  const Ran ran = Vlmctl({"trial", "logs", "demo/0"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "first line\na \\x1b[31mred\\x1b[0m line\nlast line\n");
}

TEST_F(TrialCommandsTest, LogsTakeATailAndFollowEndsWithTheTrial) {
  EXPECT_EQ(Vlmctl({"trial", "logs", "demo/0", "--tail", "1"}).out, "last line\n");
  EXPECT_THAT(Vlmctl({"trial", "logs", "demo/0", "-f"}).out, HasSubstr("last line\n"));
  const std::string line = Vlmctl({"trial", "logs", "demo/0", "--tail", "1", "-o", "json"}).out;
  EXPECT_EQ(Json::parse(line)["text"], "last line");
}

TEST_F(TrialCommandsTest, MetricsAsCsvHaveARowAPoint) {
  const Ran ran = Vlmctl({"trial", "metrics", "demo/0", "--name", "val_loss", "-o", "csv"});
  EXPECT_THAT(ran.out, HasSubstr("name,step,value,time\nval_loss,10,11.25,2023-11-14T22:13:20"));
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 11);
  const Ran thin = Vlmctl({"trial", "metrics", "demo/0", "--names", "val_loss,train_loss",
                           "--max-points", "4", "-o", "json"});
  EXPECT_EQ(thin.json().size(), 8u);
}

TEST_F(TrialCommandsTest, AMissingSeriesIsSaid) {
  const Ran ran = Vlmctl({"trial", "metrics", "demo/0", "--name", "val_los"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("no series \"val_los\""));
}

TEST_F(TrialCommandsTest, ProfileShowsPhasesAndOperators) {
  const std::string text = Vlmctl({"profile", "get", "demo/0"}).out;
  EXPECT_THAT(text, HasSubstr("Phases of steps 1..100 (rank 0, 2 windows)"));
  EXPECT_THAT(text, HasSubstr("backward"));
  EXPECT_THAT(text, HasSubstr("aten::addmm"));
  EXPECT_THAT(text, Not(HasSubstr("Phases of steps 51..100")));
  EXPECT_THAT(Vlmctl({"profile", "get", "demo/0", "--windows"}).out,
              HasSubstr("Phases of steps 51..100"));
  const Json data = Vlmctl({"profile", "get", "demo/0", "-o", "json"}).json();
  EXPECT_EQ(data["windows"].size(), 2u);
}

TEST_F(TrialCommandsTest, CurvesArePlottedForStudyAndTrial) {
  EXPECT_EQ(Vlmctl({"plot", "curves", "demo", "--out", dir_ / "a.svg"}).code, 0);
  EXPECT_EQ(Vlmctl({"plot", "curves", "demo/0", "--out", dir_ / "b.png"}).code, 0);
  EXPECT_TRUE(std::ifstream(dir_ / "a.svg").good());
  EXPECT_TRUE(std::ifstream(dir_ / "b.png").good());
}

TEST_F(TrialCommandsTest, StopNeedsALiveTrialAndRetryAnEndedOne) {
  EXPECT_EQ(Vlmctl({"trial", "stop", "demo/0", "--yes"}).code, 4);
  const Ran again = Vlmctl({"trial", "retry", "demo/0", "-o", "json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_GT(again.json()["number"], 0);
  EXPECT_EQ(Vlmctl({"trial", "retry", "demo/1"}).code, 4);  // It has not ended yet.
  EXPECT_EQ(Vlmctl({"trial", "stop", "demo/1", "--yes"}).code, 0);
}

}  // namespace
}  // namespace vlm::client
