// Studies out to files and in again, copies, deletion and return, edited ranges.
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TransferCommandsTest : public ProgramTest {
 protected:
  std::string Read(const std::string& name) {
    std::stringstream text;
    text << std::ifstream(dir_ / name).rdbuf();
    return text.str();
  }
  Json Trials(const std::string& study) {
    Json trials = Vlmctl({"trial", "list", study, "-o", "json"}).json();
    for (Json& trial : trials)
      trial = Json{{"values", trial["values"]}, {"params", trial["params"]}};
    return trials;
  }
  Json Study(const std::string& study) {
    return Vlmctl({"study", "get", study, "-o", "json"}).json();
  }
};

TEST_F(TransferCommandsTest, EveryFormatBringsTheTrialsBack) {
  Seed({3.0, 1.5, 2.0});
  for (const std::string file : {"demo.csv", "demo.json", "demo.db"}) {
    const Ran out = Vlmctl({"study", "export", "demo", "--out", dir_ / file});
    ASSERT_EQ(out.code, 0) << out.err;
    const Ran in = Vlmctl({"study", "import", dir_ / file, "--name", file});
    ASSERT_EQ(in.code, 0) << file << in.err;
    EXPECT_EQ(Trials(file), Trials("demo"));
    EXPECT_EQ(Study(file)["best_trial_number"], 1);
  }
  EXPECT_THAT(Read("demo.csv"), StartsWith("number,value,datetime_start,datetime_complete,duration,"
                                           "params_learning_rate,params_n_embd,state\n0,3.0,"));
}

TEST_F(TransferCommandsTest, ImportedTrialsTeachAStudyAndLeaveItsBudget) {
  Seed({3.0});
  const std::string file =
      Write("old.csv",
            "params_learning_rate,params_n_embd,value,state\n0.01,32,0.5,COMPLETE\n"
            "0.02,64,,FAIL\n0.03,32,0.7,pruned\n");
  const Ran in = Vlmctl({"study", "import", file, "--into", "demo", "-o", "json"});
  ASSERT_EQ(in.code, 0) << in.err;
  EXPECT_THAT(in.err, HasSubstr("3 trials more"));
  EXPECT_EQ(in.json()["n_trials"], 9);
  EXPECT_EQ(in.json()["best_value"], 0.5);
  EXPECT_EQ(in.json()["counts"]["pruned"], 1);
}

TEST_F(TransferCommandsTest, WrongFilesAddNothing) {
  Seed({3.0});
  const auto refused = [&](const std::string& name, const std::string& text) {
    const Ran ran = Vlmctl({"study", "import", Write(name, text), "--into", "demo"});
    EXPECT_EQ(ran.code, 2) << name << ran.out;
    return ran.err;
  };
  EXPECT_THAT(refused("a.csv", "value,params_n_embd\n1,32\n2,33\n"),
              HasSubstr("row 3, column params_n_embd"));
  EXPECT_THAT(refused("a.csv", "params_n_embd\n32\n"), HasSubstr("no column \"value\""));
  EXPECT_THAT(refused("a.csv", "value,state\n1,DONE\n"), HasSubstr("is no state"));
  EXPECT_THAT(refused("a.csv", "value\n1,2\n"), HasSubstr("row 2 has 2 fields"));
  EXPECT_THAT(refused("a.csv", "value\n\"1\n"), HasSubstr("never closed"));
  EXPECT_THAT(refused("a.csv", "value,params_learning_rate\n1,7\n"), HasSubstr("learning_rate"));
  EXPECT_THAT(refused("a.json", "{\"study\": 3}"), HasSubstr("not an export"));
  EXPECT_THAT(refused("a.db", "no database"), HasSubstr("no SQLite database"));
  EXPECT_THAT(refused("a.txt", ""), HasSubstr("--format"));
  EXPECT_EQ(Study("demo")["counts"]["complete"], 1);
  EXPECT_EQ(Vlmctl({"study", "import", dir_ / "none.csv", "--name", "x"}).code, 2);
}

TEST_F(TransferCommandsTest, ACloneHasTheConfigurationAndIfAskedTheTrials) {
  Seed({3.0, 1.5});
  ASSERT_EQ(Vlmctl({"study", "clone", "demo", "--name", "empty", "--paused"}).code, 0);
  EXPECT_EQ(Study("empty")["state"], "paused");
  EXPECT_EQ(Trials("empty").size(), 0u);
  const Ran full = Vlmctl({"study", "clone", "demo", "--name", "full", "--trials", "-o", "json"});
  ASSERT_EQ(full.code, 0) << full.err;
  EXPECT_EQ(full.json()["state"], "active");
  EXPECT_EQ(full.json()["n_trials"], 8);
  EXPECT_EQ(full.json()["config_hash"], Study("demo")["config_hash"]);
  EXPECT_EQ(Trials("full"), Trials("demo"));
  EXPECT_EQ(Vlmctl({"study", "clone", "demo", "--name", "full"}).code, 4);
}

TEST_F(TransferCommandsTest, ADeletedStudyComesBackAlsoAfterARestart) {
  Seed({3.0, 1.5});
  const Json trials = Trials("demo");
  const Ran deleted = Vlmctl({"study", "delete", "demo", "--yes"});
  EXPECT_THAT(deleted.err, HasSubstr("brings it back"));
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "json"}).json().size(), 0u);
  const Json listed = Vlmctl({"study", "list", "--deleted", "-o", "json"}).json();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_FALSE(listed[0]["delete_time"].is_null());
  coordinator_->Kill();
  StartCoordinator();
  ASSERT_EQ(Vlmctl({"study", "restore", "demo"}).code, 0);
  EXPECT_EQ(Trials("demo"), trials);
  EXPECT_EQ(Study("demo")["state"], "paused");
  EXPECT_EQ(Vlmctl({"study", "restore", "demo"}).code, 3);
  EXPECT_EQ(Vlmctl({"study", "delete", "demo", "--yes"}).code, 0);
  EXPECT_EQ(Vlmctl({"study", "delete", "demo", "--yes", "--purge"}).code, 0);
  EXPECT_EQ(Vlmctl({"study", "restore", "demo"}).code, 3);
}

TEST_F(TransferCommandsTest, ARangeIsEditedAsOptunaAllows) {
  Seed({3.0});
  const auto edit = [&](const std::string& range) {
    return Vlmctl({"study", "edit", "demo", "--range", range});
  };
  const Ran good = edit("learning_rate={type: float, low: 0.02, high: 0.03, log: true}");
  ASSERT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(Vlmctl({"study", "get", "demo", "--config"}).out, HasSubstr("low: 0.02"));
  EXPECT_EQ(edit("learning_rate={type: float, low: 0.02, high: 0.03}").code, 2);
  EXPECT_EQ(edit("n_embd=[32, 64, 128]").code, 2);
  EXPECT_THAT(edit("n_embed=[32]").err, HasSubstr("n_embd"));
  EXPECT_EQ(edit("learning_rate").code, 2);
  coordinator_->Kill();
  StartCoordinator();
  v1::AskRequest ask;
  ask.set_request_id("edited");
  ask.set_study("demo");
  v1::AskResponse asked;
  grpc::ClientContext context;
  ASSERT_TRUE(control().Ask(&context, ask, &asked).ok());
  EXPECT_GE(asked.trial().params(0).value().float_value(), 0.02);
  EXPECT_LE(asked.trial().params(0).value().float_value(), 0.03);
}

}  // namespace
}  // namespace vlm::client
