// Importances, pictures, budget edits and enqueued values against a real coordinator.
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class StudyCommandsTest : public ProgramTest {};

TEST_F(StudyCommandsTest, ImportanceIsAShareOfOneInOrder) {
  Seed({3.0, 1.5, 2.0, 0.7, 2.2});
  const Json found = Vlmctl({"study", "importance", "demo", "-o", "json"}).json();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NEAR(found[0]["importance"].get<double>() + found[1]["importance"].get<double>(), 1, 1e-9);
  EXPECT_GE(found[0]["importance"], found[1]["importance"]);
  EXPECT_THAT(Vlmctl({"study", "importance"}).out, HasSubstr("learning_rate"));
}

TEST_F(StudyCommandsTest, ImportanceSaysWhatItLacks) {
  Seed({3.0});
  EXPECT_EQ(Vlmctl({"study", "importance", "demo"}).code, 4);
  const Ran many = Vlmctl({"study", "importance", "demo", "--objective", "2"});
  EXPECT_EQ(many.code, 2);
  EXPECT_THAT(many.err, HasSubstr("none of the study's 1"));
  const Ran share = Vlmctl({"study", "importance", "demo", "--target-quantile", "1.5"});
  EXPECT_EQ(share.code, 2);
  EXPECT_THAT(share.err, HasSubstr("1.5"));
}

TEST_F(StudyCommandsTest, EveryPictureIsWritten) {
  Seed({3.0, 1.5, 2.0, 0.7});
  for (const std::string kind : {"history", "parallel", "slice", "contour", "importance", "edf"}) {
    const std::string file = dir_ / (kind + ".svg");
    const Ran ran = Vlmctl({"plot", kind, "demo", "--out", file});
    EXPECT_EQ(ran.out, file + "\n") << kind << ran.err;
    EXPECT_GT(std::filesystem::file_size(file), 1000u) << kind;
  }
  const Ran two = Vlmctl({"plot", "edf", "demo", "demo", "--out", dir_ / "two.png"});
  EXPECT_THAT(two.err, HasSubstr("8 trials"));
}

TEST_F(StudyCommandsTest, PicturesRefuseWhatTheyCannotShow) {
  Seed({3.0, 1.5});
  const auto plot = [&](std::vector<std::string> args) {
    args.insert(args.begin(), "plot");
    args.insert(args.end(), {"--out", dir_ / "x.png"});
    return Vlmctl(args);
  };
  EXPECT_EQ(plot({"pareto", "demo"}).code, 4);
  EXPECT_THAT(plot({"slice", "demo", "--param", "nobody"}).err, HasSubstr("learning_rate, n_embd"));
  EXPECT_EQ(plot({"contour", "demo", "--param", "n_embd,n_embd"}).code, 2);
  EXPECT_EQ(plot({"parallel", "demo", "--objective", "1"}).code, 2);
  EXPECT_EQ(plot({"parallel", "nobody"}).code, 3);
  EXPECT_FALSE(std::ifstream(dir_ / "x.png").good());
}

TEST_F(StudyCommandsTest, BestKnowsOneObjectiveFromSeveral) {
  Seed({3.0, 1.5});
  const Ran refused = Vlmctl({"study", "best", "demo", "--pareto"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("one objective"));
}

TEST_F(StudyCommandsTest, TheBudgetIsEditedWhileTheStudyRuns) {
  Seed({3.0, 1.5});
  const Ran edited = Vlmctl({"study", "edit", "demo", "--n-trials", "9", "--parallelism", "3",
                             "--time-limit", "2h", "-o", "json"});
  ASSERT_EQ(edited.code, 0) << edited.err;
  EXPECT_EQ(edited.json()["n_trials"], 9);
  EXPECT_EQ(edited.json()["parallelism"], 3);
  EXPECT_EQ(edited.json()["timeout_s"], 7200);
  EXPECT_EQ(Vlmctl({"study", "edit", "demo"}).code, 2);
  const Ran less = Vlmctl({"study", "edit", "demo", "--n-trials", "1"});
  EXPECT_EQ(less.code, 2);
  EXPECT_THAT(less.err, HasSubstr("2 (trials that exist)"));
}

TEST_F(StudyCommandsTest, EnqueuedValuesAreOfTheKindOfTheirRange) {
  Seed({});
  const Ran one =
      Vlmctl({"trial", "enqueue", "demo", "learning_rate=1e-2", "n_embd=32", "-o", "json"});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.json()[0]["params"], (Json{{"learning_rate", 0.01}, {"n_embd", 32}}));
  EXPECT_EQ(one.json()[0]["state"], "waiting");
  const std::string file = Write("ideas.yaml", "- {n_embd: 64}\n- {learning_rate: 0.003}\n- {}\n");
  const Ran several = Vlmctl({"trial", "enqueue", "demo", "--file", file, "-o", "name"});
  EXPECT_EQ(several.out, "demo/1\ndemo/2\ndemo/3\n") << several.err;
}

TEST_F(StudyCommandsTest, WrongValuesEnqueueNothing) {
  Seed({});
  const auto refused = [&](const std::string& word) {
    const Ran ran = Vlmctl({"trial", "enqueue", "demo", word});
    EXPECT_EQ(ran.code, 2) << word;
    return ran.err;
  };
  EXPECT_THAT(refused("n_embd=48"), HasSubstr("32, 64"));
  EXPECT_THAT(refused("learning_rate=fast"), HasSubstr("no finite number"));
  EXPECT_THAT(refused("learning_rate=7"), HasSubstr("outside the range"));
  EXPECT_THAT(refused("n_embed=32"), HasSubstr("there are learning_rate, n_embd"));
  EXPECT_THAT(refused("n_embd"), HasSubstr("KEY=VALUE"));
  const std::string half = Write("half.yaml", "- {n_embd: 64}\n- {n_embd: 7}\n");
  EXPECT_EQ(Vlmctl({"trial", "enqueue", "demo", "--file", half}).code, 2);
  for (const char* text : {"just words", "- 3\n", "- {a: [1, 2]}\n", "{: {"}) {
    const std::string file = Write("bad.yaml", text);
    EXPECT_EQ(Vlmctl({"trial", "enqueue", "demo", "--file", file}).code, 2) << text;
  }
  EXPECT_EQ(Vlmctl({"trial", "list", "demo", "-o", "json"}).json().size(), 0u);
}

}  // namespace
}  // namespace vlm::client
