#include "worker/agent/trainer_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {

absl::StatusOr<std::unique_ptr<TrainerProcess>> TrainerProcess::Start(
    const TrainerCommand& command, std::function<void()> on_change) {
  ASSIGN_OR_RETURN(const Child child, Spawn(command.argv, command.env));
  return std::unique_ptr<TrainerProcess>(new TrainerProcess(child, std::move(on_change)));
}

TrainerProcess::TrainerProcess(Child child, std::function<void()> on_change)
    : child_(child),
      on_change_(std::move(on_change)),
      socket_(child.socket),
      logs_(LogLimits{}, RealClock()) {
  reader_ = std::thread([this] { ReadFrames(); });
  watcher_ = std::thread([this] { Watch(); });
}

TrainerProcess::~TrainerProcess() {
  Kill();
  watcher_.join();
  close(child_.out);
  close(child_.err);
  close(child_.pidfd);
}

bool TrainerProcess::warm() const {
  MutexLock lock(mutex_);
  return warm_ && !ended_;
}

bool TrainerProcess::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

std::string TrainerProcess::EndReason() const {
  MutexLock lock(mutex_);
  return Classify(exit_).reason();
}

absl::Status TrainerProcess::Launch(const v1::Launch& launch, std::optional<int> listen_fd,
                                    const std::string& log_path, TrainerListener* listener) {
  {
    MutexLock lock(mutex_);
    if (ended_) return absl::UnavailableError("the warm trainer has died");
    rank_ = launch.rank();
    listener_ = listener;
  }
  logs_.Attach(launch.rank(), log_path);
  v1::AgentMessage message;
  *message.mutable_launch() = launch;
  MutexLock lock(send_mutex_);
  const absl::Status sent = socket_.Send(message, listen_fd);
  // From here on the listener hears of its end: that tells more than a broken pipe.
  return absl::IsUnavailable(sent) ? absl::OkStatus() : sent;
}

absl::Status TrainerProcess::Send(const v1::Command& command) {
  v1::AgentMessage message;
  *message.mutable_command() = command;
  MutexLock lock(send_mutex_);
  return socket_.Send(message);
}

void TrainerProcess::Kill() {
  MutexLock lock(mutex_);
  if (reaped_) return;  // The number may be somebody else's by now.
  killed_ = true;
  kill(-child_.pid, SIGKILL);
}

void TrainerProcess::ReadFrames() {
  while (true) {
    v1::TrainerMessage message;
    const absl::Status status = socket_.Receive(message);
    if (status.ok() && Handle(std::move(message))) continue;
    pollfd peer{socket_.fd(), 0, 0};
    // A frame that broke off because the trainer died is told by the way it died.
    if (absl::IsDataLoss(status) && poll(&peer, 1, 0) == 0) {
      {
        MutexLock lock(mutex_);
        exit_.protocol_error = std::string(status.message());
      }
      Kill();
    }
    break;
  }
  TrainerListener* listener = nullptr;
  int rank = 0;
  {
    MutexLock lock(mutex_);
    listener = listener_;
    rank = rank_;
  }
  if (listener != nullptr) listener->OnClosed(rank);
}

bool TrainerProcess::Handle(v1::TrainerMessage message) {
  if (message.has_hello()) {
    {
      MutexLock lock(mutex_);
      warm_ = true;
    }
    on_change_();
    return true;
  }
  TrainerListener* listener = nullptr;
  int rank = 0;
  {
    MutexLock lock(mutex_);
    listener = listener_;
    rank = rank_;
    if (listener == nullptr || !message.has_report()) {
      exit_.protocol_error =
          listener == nullptr ? "a report before the launch" : "an empty message";
    }
  }
  if (listener == nullptr || !message.has_report()) {
    Kill();
    return false;
  }
  listener->OnReport(rank, std::move(*message.mutable_report()));
  return true;
}

// False: the end of the stream.
bool TrainerProcess::Drain(int fd, bool is_stderr) {
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    if (!logs_.Add(is_stderr, absl::string_view(buffer, static_cast<size_t>(got)))) continue;
    TrainerListener* listener = nullptr;
    int rank = 0;
    {
      MutexLock lock(mutex_);
      listener = listener_;
      rank = rank_;
    }
    if (listener != nullptr) listener->OnLines(rank);
  }
}

void TrainerProcess::Watch() {
  pollfd wait[3] = {{child_.pidfd, POLLIN, 0}, {child_.out, POLLIN, 0}, {child_.err, POLLIN, 0}};
  while (wait[0].revents == 0) {
    if (poll(wait, 3, -1) < 0) continue;
    for (int i = 1; i < 3; ++i) {
      if (wait[i].revents != 0 && !Drain(wait[i].fd, i == 2)) wait[i].fd = -1;
    }
  }
  Reap();
  Drain(child_.out, false);
  Drain(child_.err, true);
  logs_.Finish();
  socket_.Shutdown();  // What it had sent can still be read.
  reader_.join();
  TrainerListener* listener = nullptr;
  ExitInfo exit;
  int rank = 0;
  {
    MutexLock lock(mutex_);
    exit_.last_lines = logs_.Tail();
    exit_.oom_evidence = exit_.signal == SIGKILL && ReadOomCount().MovedSince(oom_at_start_);
    ended_ = true;
    exit = exit_;
    listener = listener_;
    rank = rank_;
  }
  if (listener != nullptr) {
    listener->OnEnd(rank, exit);
  } else {
    on_change_();
  }
}

// What is left of the group dies before the number is given back.
void TrainerProcess::Reap() {
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(child_.pidfd), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  MutexLock lock(mutex_);
  kill(-child_.pid, SIGKILL);
  waitid(P_PIDFD, static_cast<id_t>(child_.pidfd), &info, WEXITED);
  reaped_ = true;
  exit_.killed_by_agent = killed_;
  if (info.si_code == CLD_EXITED) {
    exit_.exit_code = info.si_status;
  } else {
    exit_.signal = info.si_status;
  }
}

}  // namespace vlm::agent
