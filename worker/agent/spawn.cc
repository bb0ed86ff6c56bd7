#include "worker/agent/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

extern char** environ;

namespace vlm::agent {
namespace {

constexpr int kTrainerFd = 3;

absl::Status FromErrno(const std::string& what, int error) {
  auto code = absl::StatusCode::kResourceExhausted;
  if (error == ENOENT || error == ENOTDIR) code = absl::StatusCode::kNotFound;
  if (error == EACCES || error == EPERM || error == ENOEXEC) {
    code = absl::StatusCode::kPermissionDenied;
  }
  return absl::Status(code, absl::StrCat(what, ": ", std::strerror(error)));
}

// Pairs of descriptors, closed unless released.
struct Pipes {
  int socket[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  int failure[2] = {-1, -1};  // Tells errno of a failed exec; closed by a good one.

  bool Open() {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket) == 0 &&
           pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
           pipe2(failure, O_CLOEXEC) == 0;
  }
  ~Pipes() {
    for (int* pair : {socket, out, err, failure}) {
      for (int i = 0; i < 2; ++i) {
        if (pair[i] >= 0) close(pair[i]);
      }
    }
  }
};

// Between fork and exec only async-signal-safe calls are allowed: no allocation, no lock.
[[noreturn]] void RunChild(const Pipes& pipes, char* const* argv, char* const* env, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(3);  // It died before the order was in place.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  // Up first, so that the wanted numbers cannot hit a descriptor that is still needed.
  const int failure = fcntl(pipes.failure[1], F_DUPFD_CLOEXEC, 64);
  const int socket = fcntl(pipes.socket[1], F_DUPFD_CLOEXEC, 64);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(pipes.out[1], STDOUT_FILENO);
  dup2(pipes.err[1], STDERR_FILENO);
  dup2(socket, kTrainerFd);
  close_range(kTrainerFd + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  execve(argv[0], argv, env);
  const int error = errno;
  (void)!write(failure, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<Child> Spawn(const std::vector<std::string>& argv,
                            const std::vector<std::pair<std::string, std::string>>& env) {
  Pipes pipes;
  if (!pipes.Open()) return FromErrno("no descriptors for a trainer", errno);
  std::vector<std::string> env_texts = {absl::StrCat("VLM_TRAINER_FD=", kTrainerFd)};
  for (const auto& [key, value] : env) env_texts.push_back(absl::StrCat(key, "=", value));
  const size_t own = env_texts.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string name(*entry, std::strcspn(*entry, "=") + 1);
    bool replaced = false;
    for (size_t i = 0; i < own; ++i) replaced = replaced || absl::StartsWith(env_texts[i], name);
    if (!replaced) env_texts.emplace_back(*entry);
  }
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  std::vector<char*> envs;
  for (std::string& text : env_texts) envs.push_back(text.data());
  envs.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FromErrno("cannot start a process", errno);
  if (pid == 0) RunChild(pipes, args.data(), envs.data(), parent);
  setpgid(pid, pid);  // Whoever comes first.
  close(std::exchange(pipes.failure[1], -1));
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(pipes.failure[0], &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(error)) {
    waitpid(pid, nullptr, 0);
    return FromErrno(argv[0], error);
  }
  Child child;
  child.pid = pid;
  child.pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (child.pidfd < 0) {
    const int why = errno;
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return FromErrno("pidfd_open", why);
  }
  child.socket = std::exchange(pipes.socket[0], -1);
  child.out = std::exchange(pipes.out[0], -1);
  child.err = std::exchange(pipes.err[0], -1);
  fcntl(child.out, F_SETFL, O_NONBLOCK);
  fcntl(child.err, F_SETFL, O_NONBLOCK);
  return child;
}

}  // namespace vlm::agent
