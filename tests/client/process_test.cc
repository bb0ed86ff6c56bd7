// Pid files, daemons and the paths of local mode.
#include "client/local/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "client/local/paths.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;
using vlm::testing::TempDir;

class ProcessTest : public ::testing::Test {
 protected:
  absl::StatusOr<ProcessId> Shell(const std::string& script) {
    return SpawnDaemon({"/bin/sh", "-c", script}, dir_ / "log");
  }
  std::string Log() const {
    std::ifstream file(dir_ / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  TempDir dir_;
};

TEST_F(ProcessTest, AProcessIsItselfAndNotAnOlderOneWithItsPid) {
  const auto self = Identify(getpid());
  ASSERT_TRUE(self.has_value());
  EXPECT_TRUE(IsAlive(*self));
  ProcessId recycled = *self;
  recycled.start_ticks -= 1;
  EXPECT_FALSE(IsAlive(recycled));
  ProcessId before_reboot = *self;
  before_reboot.boot_id = "another";
  EXPECT_FALSE(IsAlive(before_reboot));
}

TEST_F(ProcessTest, AZombieIsNotAlive) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(Identify(child), std::nullopt);
  waitpid(child, nullptr, 0);
}

TEST_F(ProcessTest, APidFileReadsBack) {
  const auto self = Identify(getpid());
  ASSERT_TRUE(WritePidFile(dir_ / "p", *self).ok());
  EXPECT_EQ(ReadPidFile(dir_ / "p"), self);
}

TEST_F(ProcessTest, ADamagedPidFileReadsAsNone) {
  EXPECT_EQ(ReadPidFile(dir_ / "missing"), std::nullopt);
  for (const char* text : {"", "abc", "12", "-4 1 x", "12 x y"}) {
    std::ofstream(dir_ / "p", std::ios::trunc) << text;
    EXPECT_EQ(ReadPidFile(dir_ / "p"), std::nullopt) << text;
  }
}

TEST_F(ProcessTest, ADaemonHasItsOwnSessionAndLogsBothOutputs) {
  const auto id = Shell("echo out; echo err >&2; exec sleep 60");
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(getsid(id->pid), getpgid(id->pid));
  EXPECT_NE(getsid(id->pid), getsid(0));
  EXPECT_TRUE(vlm::testing::Eventually(absl::Seconds(10), [&] { return Log() == "out\nerr\n"; }));
  EXPECT_TRUE(StopProcess(*id, absl::Seconds(10)).ok());
  EXPECT_FALSE(IsAlive(*id));
}

TEST_F(ProcessTest, ADaemonInheritsNoDescriptors) {
  const int fd = open("/dev/null", O_RDONLY);  // Not close-on-exec, on purpose.
  ASSERT_TRUE(Shell("ls /proc/self/fd | tr '\\n' ' '; echo done").ok());
  EXPECT_TRUE(vlm::testing::Eventually(absl::Seconds(10),
                                       [&] { return Log().find("done") != std::string::npos; }));
  EXPECT_EQ(Log(), "0 1 2 3 done\n");  // 3 is ls reading the folder.
  close(fd);
}

TEST_F(ProcessTest, AMissingProgramIsNamed) {
  const auto id = SpawnDaemon({"/nowhere/vlm-worker"}, dir_ / "log");
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("/nowhere/vlm-worker"));
}

TEST_F(ProcessTest, StoppingKillsWhatDoesNotListen) {
  const auto id = Shell("trap '' TERM; echo ready; while :; do sleep 1; done");
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(vlm::testing::Eventually(absl::Seconds(10), [&] { return Log() == "ready\n"; }));
  const auto killed = StopProcess(*id, absl::Milliseconds(100));
  EXPECT_TRUE(killed.ok() && *killed);
  EXPECT_FALSE(IsAlive(*id));
}

TEST_F(ProcessTest, StoppingNeverTouchesARecycledPid) {
  const auto id = Shell("exec sleep 60");
  ASSERT_TRUE(id.ok());
  ProcessId old = *id;
  old.start_ticks -= 1;
  EXPECT_TRUE(StopProcess(old, absl::ZeroDuration()).ok());
  EXPECT_TRUE(IsAlive(*id));
  EXPECT_TRUE(StopProcess(*id, absl::Seconds(10)).ok());
}

class PathsTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1); }
  void TearDown() override { unsetenv("XDG_STATE_HOME"); }
  TempDir dir_;
};

TEST_F(PathsTest, FollowTheStateDirectory) {
  const auto paths = FindLocalPaths();
  ASSERT_TRUE(paths.ok());
  EXPECT_EQ(paths->state_dir, dir_ / "state/vlmctl/local");
  EXPECT_EQ(paths->address(), "unix:" + (dir_ / "state/vlmctl/local/run/coordinator.sock"));
}

TEST_F(PathsTest, AnotherStateDirectoryHasAnotherSocket) {
  const std::string first = FindLocalPaths()->socket;
  setenv("XDG_STATE_HOME", (dir_ / "other").c_str(), 1);
  EXPECT_NE(FindLocalPaths()->socket, first);
}

TEST_F(PathsTest, ADeepStateDirectoryHasItsSocketInAShortOne) {
  setenv("XDG_STATE_HOME", (dir_ / std::string(120, 'x')).c_str(), 1);
  const std::string first = FindLocalPaths()->socket;
  EXPECT_THAT(first, ::testing::StartsWith("/tmp/vlmctl-"));
  EXPECT_LT(first.size(), 108u);
  setenv("XDG_STATE_HOME", (dir_ / std::string(120, 'y')).c_str(), 1);
  EXPECT_NE(FindLocalPaths()->socket, first);
}

TEST_F(PathsTest, WithoutAnyHomeTheErrorSaysSo) {
  unsetenv("XDG_STATE_HOME");
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  unsetenv("HOME");
  EXPECT_EQ(FindLocalPaths().status().code(), absl::StatusCode::kFailedPrecondition);
  setenv("HOME", home.c_str(), 1);
}

TEST_F(PathsTest, ADirectoryThatOthersCanEnterIsRefused) {
  const auto paths = FindLocalPaths();
  std::filesystem::create_directories(paths->state_dir);
  ASSERT_EQ(mkdir(paths->runtime_dir.c_str(), 0755), 0);
  EXPECT_EQ(MakeLocalDirs(*paths).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PathsTest, ALinkInPlaceOfTheDirectoryIsRefused) {
  const auto paths = FindLocalPaths();
  std::filesystem::create_directories(paths->state_dir);
  ASSERT_EQ(symlink(dir_.path().c_str(), paths->runtime_dir.c_str()), 0);
  EXPECT_EQ(MakeLocalDirs(*paths).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PathsTest, TheDirectoriesArePrivate) {
  const auto paths = FindLocalPaths();
  ASSERT_TRUE(MakeLocalDirs(*paths).ok());
  struct stat info {};
  ASSERT_EQ(stat(paths->runtime_dir.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

}  // namespace
}  // namespace vlm::client
