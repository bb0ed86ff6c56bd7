#include "client/local/local.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/channel.h"
#include "common/status.h"
#include "vlm/v1/control.grpc.pb.h"

namespace vlm::client {
namespace {

constexpr absl::Duration kStartTime = absl::Seconds(30);
constexpr absl::Duration kPollTime = absl::Milliseconds(20);
constexpr size_t kLogLines = 5;

// Held while it lives; the daemons do not inherit it.
class UpLock {
 public:
  static absl::StatusOr<UpLock> Take(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      return absl::PermissionDeniedError(absl::StrCat(path, ": ", std::strerror(errno)));
    }
    while (flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      close(fd);
      return absl::UnavailableError(absl::StrCat("cannot lock ", path));
    }
    return UpLock(fd);
  }
  ~UpLock() {
    if (fd_ >= 0) close(fd_);
  }
  UpLock(UpLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UpLock& operator=(UpLock&&) = delete;

 private:
  explicit UpLock(int fd) : fd_(fd) {}
  int fd_;
};

std::string LogEnd(const std::string& path) {
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > kLogLines) lines.pop_front();
  }
  return absl::StrJoin(lines, "\n  ");
}

std::unique_ptr<v1::Control::Stub> StubOf(const LocalPaths& paths) {
  return v1::Control::NewStub(MakeChannel(paths.address()));
}

// Polls until `ready`, as long as the process lives.
absl::Status WaitUntil(const std::function<bool()>& ready, const ProcessId& process,
                       const std::string& program, const std::string& log) {
  const absl::Time end = absl::Now() + kStartTime;
  while (!ready()) {
    if (!IsAlive(process)) {
      return absl::UnavailableError(
          absl::StrCat(program, " ended while starting; the end of ", log, ":\n  ", LogEnd(log)));
    }
    if (absl::Now() > end) {
      return absl::DeadlineExceededError(absl::StrCat(
          program, " (pid ", process.pid, ") runs but does not serve after ",
          absl::FormatDuration(kStartTime), "; see ", log, ", or end it with `vlmctl down`"));
    }
    absl::SleepFor(kPollTime);
  }
  return absl::OkStatus();
}

absl::StatusOr<ProcessId> StartCoordinator(const LocalPaths& paths) {
  ASSIGN_OR_RETURN(const std::string program, FindProgram(kCoordinator));
  unlink(paths.socket.c_str());
  const std::string log = paths.log_file(kCoordinator);
  ASSIGN_OR_RETURN(
      const ProcessId id,
      SpawnDaemon({program, "--data", paths.data_dir(), "--listen", paths.address()}, log));
  RETURN_IF_ERROR(WritePidFile(paths.pid_file(kCoordinator), id));
  RETURN_IF_ERROR(WaitUntil(
      [&] { return access(paths.socket.c_str(), F_OK) == 0 && CoordinatorAnswers(paths); }, id,
      kCoordinator, log));
  return id;
}

// What runs already: by its pid file, or, when that is lost, by what it says of itself.
absl::StatusOr<std::optional<ProcessId>> RunningCoordinator(const LocalPaths& paths) {
  auto id = ReadPidFile(paths.pid_file(kCoordinator));
  if (const auto status = Probe(paths); status.has_value()) {
    auto real = Identify(status->pid());
    if (real.has_value() && real != id) {
      RETURN_IF_ERROR(WritePidFile(paths.pid_file(kCoordinator), *real));
    }
    return real;
  }
  if (!id.has_value() || !IsAlive(*id)) return std::nullopt;
  // Alive without an answer: just starting, or its socket was taken away.
  RETURN_IF_ERROR(WaitUntil([&] { return CoordinatorAnswers(paths); }, *id, kCoordinator,
                            paths.log_file(kCoordinator)));
  return id;
}

bool WorkerAttached(v1::Control::Stub* stub) {
  const auto context = MakeContext(kProbeDeadline);
  v1::ListWorkersResponse response;
  if (!stub->ListWorkers(context.get(), {}, &response).ok()) return false;
  for (const v1::Worker& worker : response.workers()) {
    if (worker.state() == v1::WORKER_STATE_ATTACHED) return true;
  }
  return false;
}

absl::StatusOr<ProcessId> StartWorker(const LocalPaths& paths, const UpOptions& options) {
  ASSIGN_OR_RETURN(const std::string program, FindProgram(kWorker));
  std::vector<std::string> argv = {program,          "--coordinator", paths.address(), "--work-dir",
                                   paths.work_dir(), "--name",        "local"};
  if (options.slots > 0) {
    argv.insert(argv.end(), {"--slots", absl::StrCat(options.slots)});
  }
  if (options.threads_per_slot > 0) {
    argv.insert(argv.end(), {"--threads-per-slot", absl::StrCat(options.threads_per_slot)});
  }
  const std::string log = paths.log_file(kWorker);
  ASSIGN_OR_RETURN(const ProcessId id, SpawnDaemon(argv, log));
  RETURN_IF_ERROR(WritePidFile(paths.pid_file(kWorker), id));
  const auto stub = StubOf(paths);
  RETURN_IF_ERROR(WaitUntil([&] { return WorkerAttached(stub.get()); }, id, kWorker, log));
  return id;
}

// True if it ran.
absl::StatusOr<bool> StopByFile(const std::string& path, absl::Duration grace, bool* killed) {
  const auto id = ReadPidFile(path);
  bool ran = false;
  if (id.has_value() && IsAlive(*id)) {
    ASSIGN_OR_RETURN(const bool had_to_kill, StopProcess(*id, grace));
    *killed |= had_to_kill;
    ran = true;
  }
  unlink(path.c_str());
  return ran;
}

}  // namespace

std::optional<v1::GetStatusResponse> Probe(const LocalPaths& paths) {
  if (access(paths.socket.c_str(), F_OK) != 0) return std::nullopt;
  const auto stub = StubOf(paths);
  const auto context = MakeContext(kProbeDeadline);
  v1::GetStatusResponse response;
  if (!stub->GetStatus(context.get(), {}, &response).ok()) return std::nullopt;
  return response;
}

bool CoordinatorAnswers(const LocalPaths& paths) { return Probe(paths).has_value(); }

absl::StatusOr<UpResult> Up(const LocalPaths& paths, const UpOptions& options) {
  RETURN_IF_ERROR(MakeLocalDirs(paths));
  ASSIGN_OR_RETURN(const UpLock lock, UpLock::Take(paths.lock()));
  UpResult result;
  ASSIGN_OR_RETURN(auto coordinator, RunningCoordinator(paths));
  if (!coordinator.has_value()) {
    ASSIGN_OR_RETURN(coordinator, StartCoordinator(paths));
    result.coordinator_started = true;
  }
  result.coordinator_pid = coordinator->pid;
  auto worker = ReadPidFile(paths.pid_file(kWorker));
  if (!worker.has_value() || !IsAlive(*worker)) {
    ASSIGN_OR_RETURN(worker, StartWorker(paths, options));
    result.worker_started = true;
  }
  result.worker_pid = worker->pid;
  return result;
}

absl::StatusOr<DownResult> Down(const LocalPaths& paths, absl::Duration grace) {
  DownResult result;
  if (access(paths.state_dir.c_str(), F_OK) != 0) return result;
  ASSIGN_OR_RETURN(const UpLock lock, UpLock::Take(paths.lock()));
  ASSIGN_OR_RETURN(result.worker_stopped,
                   StopByFile(paths.pid_file(kWorker), grace, &result.killed));
  // Finds a coordinator whose pid file was lost; one that does not answer is stopped all the same.
  if (const auto status = Probe(paths); status.has_value()) {
    if (const auto real = Identify(status->pid()); real.has_value()) {
      RETURN_IF_ERROR(WritePidFile(paths.pid_file(kCoordinator), *real));
    }
  }
  ASSIGN_OR_RETURN(result.coordinator_stopped,
                   StopByFile(paths.pid_file(kCoordinator), grace, &result.killed));
  unlink(paths.socket.c_str());
  rmdir(paths.runtime_dir.c_str());
  return result;
}

}  // namespace vlm::client
