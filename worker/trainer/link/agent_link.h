// The trainer's end of the socket to its agent (proto/vlm/v1/trainer.proto).
//
// Threading: WaitForLaunch and SendHello on the main thread; then a reader thread takes commands
// and a writer thread sends batches; the other functions are thread-safe. If the agent goes away
// before Finish, the process ends at once with kExitAgentGone: nobody would hear its results.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/framing.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::trainer {

inline constexpr int kExitAgentGone = 3;
inline constexpr absl::string_view kTrainerFdVariable = "VLM_TRAINER_FD";

struct ReceivedLaunch {
  v1::Launch launch;
  std::optional<int> listen_fd;  // Owned by the receiver.
};

class AgentLink {
 public:
  explicit AgentLink(int fd) : socket_(fd) {}
  // Takes the descriptor that the variable names. NOT_FOUND: it is not set. INVALID_ARGUMENT: not
  // an open descriptor.
  static absl::StatusOr<std::unique_ptr<AgentLink>> FromEnvironment();
  ~AgentLink();
  AgentLink(const AgentLink&) = delete;
  AgentLink& operator=(const AgentLink&) = delete;

  absl::Status SendHello(const v1::TrainerHello& hello);
  // OUT_OF_RANGE: the agent closed the socket, it needs no trainer any more.
  absl::StatusOr<ReceivedLaunch> WaitForLaunch();

  // From here on commands are read and batches sent. `rank` goes into every batch.
  void Start(int rank);
  v1::Command::Action pending() const { return pending_.load(std::memory_order_acquire); }

  // Changes the batch that is sent next: at most kFlushInterval later, at once if `urgent`.
  void Update(const std::function<void(v1::Report*)>& change, bool urgent = false);
  // Sends what is left with the outcome. Blocks until it is on its way.
  void Finish(const v1::Outcome& outcome);

  static constexpr std::chrono::milliseconds kFlushInterval{200};

 private:
  void ReadCommands();
  void WriteBatches();
  void SendPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FrameSocket socket_;
  std::atomic<v1::Command::Action> pending_{v1::Command::ACTION_UNSPECIFIED};
  std::atomic<bool> finished_{false};
  std::thread reader_;
  std::thread writer_;
  absl::Mutex mutex_;
  v1::Report batch_ ABSL_GUARDED_BY(mutex_);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int rank_ = 0;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace vlm::trainer
