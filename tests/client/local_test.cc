// Local mode with real daemons in a private state directory: up, down, and every way to be half up.
#include "client/local/local.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "client/output/records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using vlm::testing::Process;

constexpr absl::Duration kLong = absl::Seconds(60);

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
};

class LocalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1);
    setenv("VLMCTL_CONFIG", (dir_ / "none.yaml").c_str(), 1);
    unsetenv("VLMCTL_ADDR");
    paths_ = *FindLocalPaths();
  }
  void TearDown() override { EXPECT_TRUE(Down(paths_, absl::Seconds(20)).ok()); }

  std::unique_ptr<Process> Spawn(std::vector<std::string> args) {
    args.insert(args.begin(), vlm::testing::Binary("vlmctl"));
    return *Process::Start(args);
  }
  Ended Vlmctl(std::vector<std::string> args) {
    auto process = Spawn(std::move(args));
    Ended ended;
    ended.code = process->Wait(kLong).value_or(-1);
    ended.out = process->Stdout();
    ended.err = process->Stderr();
    return ended;
  }
  std::optional<ProcessId> Daemon(const char* program) {
    const auto id = ReadPidFile(paths_.pid_file(program));
    if (!id.has_value() || !IsAlive(*id)) return std::nullopt;
    return id;
  }
  void Kill(const char* program) {
    const auto id = Daemon(program);
    ASSERT_TRUE(id.has_value());
    ::kill(id->pid, SIGKILL);
    ASSERT_TRUE(vlm::testing::Eventually(kLong, [&] { return !IsAlive(*id); }));
  }
  std::string Config() {
    std::ofstream(dir_ / "c.yaml") << "input_path: data.csv\nn_embd: 64\n";
    return dir_ / "c.yaml";
  }
  size_t Coordinators() { return vlm::testing::FindProcesses(paths_.data_dir()).size(); }
  size_t Workers() { return vlm::testing::FindProcesses(paths_.work_dir()).size(); }
  // A trainer that is just being started carries its worker's name until it executes.
  bool OneWorker() {
    return vlm::testing::Eventually(kLong, [&] { return Workers() == 1; });
  }

  vlm::testing::TempDir dir_;
  LocalPaths paths_;
};

TEST_F(LocalTest, UpStartsBothAndDownEndsBoth) {
  const Ended up = Vlmctl({"up", "--slots", "3"});
  ASSERT_EQ(up.code, 0) << up.err;
  EXPECT_EQ(up.out, paths_.address() + "\n");
  const Json workers = Json::parse(Vlmctl({"worker", "list", "-o", "json"}).out);
  EXPECT_EQ(workers[0]["slots"].size(), 3u);
  const Ended down = Vlmctl({"down"});
  EXPECT_EQ(down.code, 0) << down.err;
  EXPECT_THAT(down.err, HasSubstr("worker stopped, coordinator stopped"));
  EXPECT_EQ(Coordinators() + Workers(), 0u);
  EXPECT_EQ(access(paths_.runtime_dir.c_str(), F_OK), -1);
}

TEST_F(LocalTest, DownWithNothingUpIsNoError) {
  const Ended down = Vlmctl({"down"});
  EXPECT_EQ(down.code, 0);
  EXPECT_THAT(down.err, HasSubstr("nothing was running"));
  EXPECT_EQ(Vlmctl({"study", "list"}).code, 6);
}

TEST_F(LocalTest, SubmitStartsThemSaysSoAndTheSecondFindsThem) {
  const Ended first = Vlmctl({"submit", Config(), "--name", "one", "--no-follow"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("started a local coordinator and worker (`vlmctl down`"));
  const auto coordinator = Daemon(kCoordinator);
  const Ended second = Vlmctl({"submit", Config(), "--name", "two", "--no-follow"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, Not(HasSubstr("started")));
  EXPECT_EQ(Daemon(kCoordinator), coordinator);
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "name"}).out, "two\none\n");
}

TEST_F(LocalTest, AnInvalidFileStartsNothing) {
  std::ofstream(dir_ / "bad.yaml") << "input_path: x.csv\nlearning_rte: 3\n";
  const Ended submit = Vlmctl({"submit", dir_ / "bad.yaml"});
  EXPECT_EQ(submit.code, 2);
  EXPECT_THAT(submit.err, HasSubstr("bad.yaml:2:1: error: learning_rte"));
  EXPECT_EQ(access(paths_.state_dir.c_str(), F_OK), -1);
}

TEST_F(LocalTest, DataSurviveDownAndUp) {
  ASSERT_EQ(Vlmctl({"submit", Config(), "--name", "kept", "--no-follow"}).code, 0);
  ASSERT_EQ(Vlmctl({"down"}).code, 0);
  ASSERT_EQ(Vlmctl({"up"}).code, 0);
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "name"}).out, "kept\n");
}

TEST_F(LocalTest, AKilledCoordinatorIsStartedAgain) {
  ASSERT_EQ(Vlmctl({"submit", Config(), "--name", "kept", "--no-follow"}).code, 0);
  const auto worker = Daemon(kWorker);
  Kill(kCoordinator);  // Leaves its socket and its pid file behind.
  ASSERT_EQ(access(paths_.socket.c_str(), F_OK), 0);
  const Ended up = Vlmctl({"up"});
  ASSERT_EQ(up.code, 0) << up.err;
  EXPECT_THAT(up.err, HasSubstr("coordinator started"));
  EXPECT_EQ(Daemon(kWorker), worker);
  EXPECT_EQ(Vlmctl({"study", "list", "-o", "name"}).out, "kept\n");
}

TEST_F(LocalTest, AKilledWorkerIsStartedAgain) {
  ASSERT_EQ(Vlmctl({"up"}).code, 0);
  const auto coordinator = Daemon(kCoordinator);
  Kill(kWorker);
  const Ended submit = Vlmctl({"submit", Config(), "--no-follow"});
  ASSERT_EQ(submit.code, 0) << submit.err;
  EXPECT_THAT(submit.err, HasSubstr("started a local worker"));
  EXPECT_EQ(Daemon(kCoordinator), coordinator);
  EXPECT_TRUE(OneWorker());
}

TEST_F(LocalTest, APidFileOfAnotherProcessIsNotBelieved) {
  ASSERT_TRUE(MakeLocalDirs(paths_).ok());
  ProcessId recycled = *Identify(getpid());
  recycled.start_ticks -= 1;
  ASSERT_TRUE(WritePidFile(paths_.pid_file(kCoordinator), recycled).ok());
  ASSERT_TRUE(WritePidFile(paths_.pid_file(kWorker), recycled).ok());
  EXPECT_THAT(Vlmctl({"down"}).err, HasSubstr("nothing was running"));  // And we live on.
  ASSERT_TRUE(WritePidFile(paths_.pid_file(kCoordinator), recycled).ok());
  EXPECT_THAT(Vlmctl({"up"}).err, HasSubstr("coordinator started"));
}

TEST_F(LocalTest, AStaleSocketWithoutPidFileIsReplaced) {
  ASSERT_TRUE(MakeLocalDirs(paths_).ok());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, paths_.socket.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  const Ended up = Vlmctl({"up"});
  EXPECT_EQ(up.code, 0) << up.err;
}

TEST_F(LocalTest, ALostPidFileIsWrittenAgain) {
  ASSERT_EQ(Vlmctl({"up"}).code, 0);
  const auto coordinator = Daemon(kCoordinator);
  unlink(paths_.pid_file(kCoordinator).c_str());
  EXPECT_THAT(Vlmctl({"up"}).err, HasSubstr("coordinator already running"));
  EXPECT_EQ(Daemon(kCoordinator), coordinator);
}

TEST_F(LocalTest, FourAtOnceStartOneOfEach) {
  std::vector<std::unique_ptr<Process>> ups;
  for (int i = 0; i < 4; ++i) ups.push_back(Spawn({"up"}));
  for (const auto& up : ups) EXPECT_EQ(up->Wait(kLong).value_or(-1), 0) << up->Stderr();
  EXPECT_EQ(Coordinators(), 1u);
  EXPECT_TRUE(OneWorker());
}

TEST_F(LocalTest, ACoordinatorThatCannotStartShowsItsLog) {
  ASSERT_TRUE(MakeLocalDirs(paths_).ok());
  std::ofstream(paths_.data_dir()) << "a file where a folder should be";
  const Ended up = Vlmctl({"up"});
  EXPECT_EQ(up.code, 6) << up.err;
  EXPECT_THAT(up.err, HasSubstr("vlm-coordinator ended while starting"));
  EXPECT_THAT(up.err, HasSubstr("cannot make the data directory"));
}

}  // namespace
}  // namespace vlm::client
