// One vlm-trainer: started idle, warm after its hello, launched once, watched to its end.
//
// Threads: two per process. The reader takes frames from the socket (and stands still while the
// listener does: that is the back-pressure on the trainer); the watcher takes stdout and stderr and
// notices the end. OnEnd comes after every frame and every line have been delivered. Methods are
// thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/framing.h"
#include "vlm/v1/trainer.pb.h"
#include "worker/agent/log_capture.h"
#include "worker/agent/machine.h"
#include "worker/agent/outcome.h"
#include "worker/agent/spawn.h"

namespace vlm::agent {

struct TrainerCommand {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;
};

// Told by the trainer's own threads. No callback may destroy the process.
class TrainerListener {
 public:
  virtual ~TrainerListener() = default;
  virtual void OnReport(int rank, v1::Report report) = 0;  // May block.
  virtual void OnLines(int rank) = 0;                      // logs() has something.
  virtual void OnClosed(int rank) = 0;                     // The socket; the end should follow.
  virtual void OnEnd(int rank, const ExitInfo& exit) = 0;  // Last call.
};

class TrainerProcess {
 public:
  // On a thread that lives as long as the agent (see Spawn). `on_change` is called on a thread of
  // the process when it became warm and when it ended before its launch. Errors as Spawn.
  static absl::StatusOr<std::unique_ptr<TrainerProcess>> Start(const TrainerCommand& command,
                                                               std::function<void()> on_change);
  // Kills the group and waits for the threads.
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  bool warm() const;
  bool ended() const;
  // Why a trainer ended before it was warm, for people.
  std::string EndReason() const;
  // Once, when warm. `listener` must outlive this object; with ok it will hear OnEnd. UNAVAILABLE:
  // the trainer died before, and the listener hears nothing.
  absl::Status Launch(const v1::Launch& launch, std::optional<int> listen_fd,
                      const std::string& log_path, TrainerListener* listener);
  absl::Status Send(const v1::Command& command);
  // SIGKILL to the whole group.
  void Kill();
  absl::Duration age() const { return RealClock().Monotonic() - started_at_; }
  pid_t pid() const { return child_.pid; }
  LogCapture& logs() { return logs_; }

 private:
  TrainerProcess(Child child, std::function<void()> on_change);
  void ReadFrames();
  bool Handle(v1::TrainerMessage message);
  void Watch();
  bool Drain(int fd, bool is_stderr);
  void Reap();

  // Constant after construction.
  const Child child_;
  const std::function<void()> on_change_;
  const OomCount oom_at_start_ = ReadOomCount();
  const absl::Duration started_at_ = RealClock().Monotonic();

  FrameSocket socket_;
  LogCapture logs_;
  Mutex send_mutex_;  // Frames do not mix.
  mutable Mutex mutex_;
  CondVar launched_;
  bool warm_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool killed_ ABSL_GUARDED_BY(mutex_) = false;
  bool reaped_ ABSL_GUARDED_BY(mutex_) = false;
  TrainerListener* listener_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int rank_ ABSL_GUARDED_BY(mutex_) = 0;
  ExitInfo exit_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
  std::thread watcher_;
};

}  // namespace vlm::agent
