#include "client/local/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 declares these without C linkage for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace vlm::client {
namespace {

constexpr absl::Duration kKillWait = absl::Seconds(10);

std::string BootId() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

// Only async-signal-safe calls from here to exec: the parent may have threads.
[[noreturn]] void BecomeDaemon(char* const* argv, int log, int report) {
  setsid();
  const pid_t pid = fork();
  if (pid != 0) {
    const std::array<int, 2> message = {pid, pid < 0 ? errno : 0};
    _exit(write(report, message.data(), sizeof(message)) == sizeof(message) ? 0 : 1);
  }
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir("/") != 0) _exit(126);
  const int kept = fcntl(report, F_DUPFD_CLOEXEC, 3);
  if (dup2(kept, 3) == 3) fcntl(3, F_SETFD, FD_CLOEXEC);
  close_range(4, ~0U, 0);
  execv(argv[0], argv);
  const std::array<int, 2> message = {-1, errno};
  [[maybe_unused]] const ssize_t n = write(3, message.data(), sizeof(message));
  _exit(127);
}

absl::Status CannotStart(const std::string& program, int error) {
  const std::string text = absl::StrCat("cannot start ", program, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::PermissionDeniedError(text);
}

}  // namespace

std::optional<ProcessId> Identify(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name in parentheses may hold anything; fields count from the last parenthesis.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  return ProcessId{pid, std::strtoull(fields[19].c_str(), nullptr, 10), BootId()};
}

bool IsAlive(const ProcessId& id) {
  const auto now = Identify(id.pid);
  return now.has_value() && *now == id;
}

std::optional<ProcessId> ReadPidFile(const std::string& path) {
  ProcessId id;
  std::ifstream file(path);
  if (!(file >> id.pid >> id.start_ticks >> id.boot_id) || id.pid <= 0) return std::nullopt;
  return id;
}

absl::Status WritePidFile(const std::string& path, const ProcessId& id) {
  const std::string aside = absl::StrCat(path, ".new");
  std::ofstream file(aside, std::ios::trunc);
  file << id.pid << " " << id.start_ticks << " " << id.boot_id << "\n";
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(aside, path, error);
  if (!file || error) return absl::PermissionDeniedError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::StatusOr<ProcessId> SpawnDaemon(const std::vector<std::string>& argv,
                                      const std::string& log) {
  const int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot write ", log, ": ", std::strerror(errno)));
  }
  std::array<int, 2> pipe_fds{};
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) {
    close(log_fd);
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", std::strerror(errno)));
  }
  std::vector<char*> raw;
  for (const std::string& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));
  raw.push_back(nullptr);
  const pid_t middle = fork();
  if (middle == 0) BecomeDaemon(raw.data(), log_fd, pipe_fds[1]);
  close(pipe_fds[1]);
  close(log_fd);
  pid_t pid = -1;
  int error = middle < 0 ? errno : 0;
  std::array<int, 2> message{};
  // The middle process tells the pid; a failed exec tells its error; success closes the pipe.
  while (read(pipe_fds[0], message.data(), sizeof(message)) == sizeof(message)) {
    if (message[0] > 0) pid = message[0];
    if (message[1] != 0) error = message[1];
  }
  close(pipe_fds[0]);
  if (middle > 0) waitpid(middle, nullptr, 0);
  if (error != 0 || pid < 0) return CannotStart(argv[0], error);
  const auto id = Identify(pid);
  if (!id.has_value()) {
    return absl::AbortedError(absl::StrCat(argv[0], " ended at once; its log is ", log));
  }
  return *id;
}

absl::StatusOr<bool> StopProcess(const ProcessId& id, absl::Duration grace) {
  const int fd = pidfd_open(id.pid, 0);
  if (fd < 0) return false;  // Gone already.
  // The descriptor is of whoever has the pid now; only if that is ours it may be signalled.
  if (!IsAlive(id)) {
    close(fd);
    return false;
  }
  const auto wait = [fd](absl::Duration time) {
    pollfd item{fd, POLLIN, 0};
    return poll(&item, 1, static_cast<int>(absl::ToInt64Milliseconds(time))) == 1;
  };
  bool gone = pidfd_send_signal(fd, SIGTERM, nullptr, 0) != 0 || wait(grace);
  bool killed = false;
  if (!gone) {
    killed = true;
    gone = pidfd_send_signal(fd, SIGKILL, nullptr, 0) != 0 || wait(kKillWait);
  }
  close(fd);
  if (!gone) {
    return absl::DeadlineExceededError(absl::StrCat("process ", id.pid, " does not end"));
  }
  return killed;
}

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<std::string> folders;
  if (!error) folders.push_back(self.parent_path().string());
  const char* path = std::getenv("PATH");
  for (const absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  for (const std::string& folder : folders) {
    const std::string file = absl::StrCat(folder, "/", name);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return absl::NotFoundError(
      absl::StrCat(name, " is neither next to vlmctl (", folders.empty() ? "?" : folders.front(),
                   ") nor in PATH; build or install all programs of vlmctl together"));
}

}  // namespace vlm::client
