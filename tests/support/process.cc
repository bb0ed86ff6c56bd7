#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace vlm::testing {
namespace {

constexpr absl::Duration kLastWords = absl::Milliseconds(500);

std::string FromEnv(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string Binary(const std::string& name) {
  return absl::StrCat(FromEnv("VLM_BIN_DIR"), "/", name);
}

std::string SourceFile(const std::string& relative) {
  return absl::StrCat(FromEnv("VLM_SOURCE_DIR"), "/", relative);
}

bool Eventually(absl::Duration timeout, const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + timeout;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return true;
}

bool IsAlive(pid_t pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t close = stat.rfind(')');
  return close != std::string::npos && close + 2 < stat.size() && stat[close + 2] != 'Z' &&
         stat[close + 2] != 'X';
}

std::vector<pid_t> FindProcesses(const std::string& text) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || pid == getpid()) continue;
    std::ifstream in(entry.path() / "cmdline");
    std::string line((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (absl::StrContains(line, text) && IsAlive(pid)) found.push_back(pid);
  }
  return found;
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const std::vector<std::string>& argv,
                                                        const Env& env) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrCat("pipe: ", std::strerror(errno)));
  }
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("fork: ", std::strerror(errno)));
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // A test that is killed leaves nothing behind.
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (const auto& [key, value] : env) setenv(key.c_str(), value.c_str(), 1);
    execv(args[0], args.data());
    dprintf(STDERR_FILENO, "%s: %s\n", args[0], std::strerror(errno));
    _exit(127);
  }
  setpgid(pid, pid);
  close(out[1]);
  close(err[1]);
  return std::unique_ptr<Process>(new Process(pid, out[0], err[0]));
}

Process::Process(pid_t pid, int out, int err) : pid_(pid) {
  out_reader_ = std::thread([this, out] { Read(out, &out_); });
  err_reader_ = std::thread([this, err] { Read(err, &err_); });
}

Process::~Process() {
  Kill();
  out_reader_.join();
  err_reader_.join();
}

void Process::Read(int fd, std::string* into) {
  char buffer[4096];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    MutexLock lock(mutex_);
    if (got <= 0) break;
    into->append(buffer, static_cast<size_t>(got));
    changed_.NotifyAll();
  }
  MutexLock lock(mutex_);
  --open_pipes_;
  changed_.NotifyAll();
  close(fd);
}

absl::StatusOr<std::string> Process::WaitForLine(const std::string& prefix,
                                                 absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (true) {
    std::istringstream lines(out_);
    for (std::string line; std::getline(lines, line);) {
      if (!lines.eof() && absl::StartsWith(line, prefix)) return line.substr(prefix.size());
    }
    if (open_pipes_ == 0) {
      return absl::UnavailableError(
          absl::StrCat("ended without \"", prefix, "\"; stdout:\n", out_, "\nstderr:\n", err_));
    }
    if (absl::Now() >= end) {
      return absl::DeadlineExceededError(
          absl::StrCat("no \"", prefix, "\" in time; stdout:\n", out_, "\nstderr:\n", err_));
    }
    changed_.WaitFor(mutex_, std::min(end - absl::Now(), absl::Milliseconds(200)));
  }
}

absl::StatusOr<int> Process::Wait(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (true) {
    {
      MutexLock lock(mutex_);
      int status = 0;
      if (exit_ < 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
        exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      if (exit_ >= 0) {
        // Its last words may still be in the pipes; something it left running may hold them open.
        const absl::Time last = absl::Now() + kLastWords;
        while (open_pipes_ > 0 && absl::Now() < last) {
          changed_.WaitFor(mutex_, last - absl::Now());
        }
        return exit_;
      }
    }
    if (absl::Now() >= end) return absl::DeadlineExceededError("the process still runs");
    absl::SleepFor(absl::Milliseconds(5));
  }
}

void Process::Signal(int signal) const {
  MutexLock lock(mutex_);
  if (exit_ < 0) kill(pid_, signal);
}

void Process::Kill() {
  kill(-pid_, SIGKILL);
  (void)Wait(absl::Seconds(20));
}

std::string Process::Stdout() const {
  MutexLock lock(mutex_);
  return out_;
}

std::string Process::Stderr() const {
  MutexLock lock(mutex_);
  return err_;
}

}  // namespace vlm::testing
