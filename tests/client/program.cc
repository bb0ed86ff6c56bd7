#include "tests/client/program.h"

#include <fstream>

#include "client/cli.h"
#include "common/channel.h"
#include "common/ids.h"

namespace vlm::client {

void ProgramTest::SetUp() {
  setenv("VLMCTL_CONFIG", (dir_ / "none.yaml").c_str(), 1);
  setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1);
  setenv("XDG_CACHE_HOME", (dir_ / "cache").c_str(), 1);
  unsetenv("VLMCTL_ADDR");
  unsetenv("VLMCTL_OUTPUT");
  addr_ = "127.0.0.1:0";
  StartCoordinator();
}

void ProgramTest::TearDown() {
  if (coordinator_ != nullptr) coordinator_->Kill();
}

void ProgramTest::StartCoordinator() {
  auto started = vlm::testing::Process::Start(
      {vlm::testing::Binary("vlm-coordinator"), "--data", dir_ / "data", "--listen", addr_});
  ASSERT_TRUE(started.ok()) << started.status();
  coordinator_ = *std::move(started);
  const auto address = coordinator_->WaitForLine("listening on ");
  ASSERT_TRUE(address.ok()) << address.status();
  addr_ = *address;
  control_ = v1::Control::NewStub(MakeChannel(addr_));
}

Ran ProgramTest::Vlmctl(std::vector<std::string> args) {
  args.insert(args.begin(), {"--addr", addr_});
  std::ostringstream out, err;
  Cli cli;
  Ran ran;
  ran.code = cli.Run(std::move(args), {out, err});
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

std::unique_ptr<vlm::testing::Process> ProgramTest::Spawn(std::vector<std::string> args) {
  args.insert(args.begin(), {vlm::testing::Binary("vlmctl"), "--addr", addr_});
  auto started = vlm::testing::Process::Start(args);
  EXPECT_TRUE(started.ok()) << started.status();
  return *std::move(started);
}

std::string ProgramTest::Write(const std::string& name, const std::string& text) {
  std::ofstream(dir_ / name) << text;
  return dir_ / name;
}

std::string ProgramTest::SearchFile() {
  return Write("search.yaml",
               "input_path: data.csv\n"
               "hyperparameter_tuning: true\n"
               "n_trials: 6\n"
               "n_embd: 64\n"
               "num_head: 8\n"
               "study:\n"
               "  sampler: {name: random}\n"
               "  search_space:\n"
               "    learning_rate: {type: float, low: 0.0001, high: 0.1, log: true}\n"
               "    n_embd: {type: categorical, choices: [32, 64]}\n");
}

void ProgramTest::Seed(const std::vector<double>& values) {
  const Ran submitted = Vlmctl({"submit", SearchFile(), "--name", "demo", "--no-follow"});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  for (const double value : values) {
    v1::AskRequest ask;
    ask.set_request_id(NewUuid());
    ask.set_study("demo");
    v1::AskResponse asked;
    ASSERT_TRUE(control().Ask(MakeContext().get(), ask, &asked).ok());
    v1::TellRequest tell;
    tell.set_request_id(NewUuid());
    tell.set_trial(std::to_string(asked.trial().trial_id()));
    tell.set_state(v1::TRIAL_STATE_COMPLETE);
    tell.add_values(value);
    v1::TellResponse told;
    ASSERT_TRUE(control().Tell(MakeContext().get(), tell, &told).ok());
  }
}

}  // namespace vlm::client
